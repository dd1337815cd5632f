import { Auth } from '../../auth.ts';
import { type PolicyRule, defineModule } from '../../module.ts';
import { Metrics } from '../metrics/service.ts';
import { authConfig } from './config.ts';
import { localAuth } from './local.ts';
import { createSignIn } from './sign-in.ts';

/** Who callers are and what they may do: by access tokens, or without sign-in one local user on loopback. */
export const auth = defineModule({
  name: 'auth',
  description: 'Who callers are and what they may do.',
  provides: { auth: Auth },
  uses: { metrics: Metrics },
  config: authConfig,
  rbac: (config) => (config?.authorizer === 'kubernetes' ? reviewRules : []),
  start: (host) => ({
    auth: host.config ? createSignIn({ ...host, metrics: host.deps.metrics, config: host.config }) : localAuth,
  }),
});

/** To ask for each caller, and to write in their name. Names come from tokens, so they can't be listed here. */
const reviewRules: PolicyRule[] = [
  { apiGroups: ['authorization.k8s.io'], resources: ['subjectaccessreviews'], verbs: ['create'] },
  { apiGroups: [''], resources: ['users', 'groups'], verbs: ['impersonate'] },
];
