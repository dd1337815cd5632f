import type { RunAction } from '../runs/service.ts';

/** INVOKE: a run with something ready behind its Service, for who may call it. */
export const invokeAction: RunAction = {
  action: 'INVOKE',
  allowed: (run, { access }) =>
    run.status.service !== null && run.status.replicas.ready > 0 && access.allows('invoke', run),
};
