import type { Context } from '../../module.ts';
import { obstacleTo } from './obstacle.ts';
import { RunAction, type RunView, type ServiceRunAction } from './service.ts';

type Possible = (run: RunView) => boolean;

const deleting: Possible = ({ status }) => status.state === 'DELETING';
const workable: Possible = (run) => run.objects.workload !== null && !deleting(run);
const stopped: Possible = ({ spec }) => spec.replicas === 0;

const possible: readonly [ServiceRunAction, Possible][] = [
  ['SCALE', workable],
  ['STOP', (run) => workable(run) && !stopped(run)],
  ['RESUME', (run) => workable(run) && stopped(run)],
  ['RESTART', (run) => workable(run) && !stopped(run) && !run.objects.workload?.spec.paused],
  ['DELETE', (run) => !deleting(run)],
];

/** The actions of this module: what makes sense for the run now and is safe, for who may change it. */
export const runActions: readonly RunAction[] = possible.map(([action, isPossible]) => ({
  action,
  allowed: (run, { access }) => isPossible(run) && obstacleTo(action, run) === null && access.allows('act', run),
}));

const order: readonly ServiceRunAction[] = ['INVOKE', 'SCALE', 'STOP', 'RESUME', 'RESTART', 'DELETE', 'EXPOSE'];

/** What this caller may do to a run now, by all modules, always in the same order. */
export async function actionsFor(run: RunView, context: Context): Promise<ServiceRunAction[]> {
  const answers = await Promise.all(
    context.use(RunAction).map(async (provider) => ((await provider.allowed(run, context)) ? provider.action : null)),
  );
  return order.filter((action) => answers.includes(action));
}
