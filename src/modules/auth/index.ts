import { Auth } from '../../auth.ts';
import { fullAccess, localCaller } from '../../caller.ts';
import { defineModule } from '../../module.ts';

/** Who callers are and what they may do. For now one local user, on loopback only, with the connection's own rights. */
export const auth = defineModule({
  name: 'auth',
  description: 'Who callers are and what they may do.',
  provides: { auth: Auth },
  start: () => ({
    auth: {
      authenticate: () => Promise.resolve(localCaller),
      access: () => fullAccess,
    },
  }),
});
