import type { Auth } from '../../auth.ts';
import { fullAccess, localCaller } from '../../caller.ts';

/** One local user with the connection's own rights. */
export const localAuth: Auth = {
  signIn: false,
  everybody: localCaller,
  authenticate: () => Promise.resolve(localCaller),
  access: () => fullAccess,
};
