import type { Place } from '../../../caller.ts';
import { SlipwayError } from '../../../errors.ts';
import type { Context } from '../../../module.ts';
import { obstacleTo } from '../obstacle.ts';
import { noSuchRun } from '../runs.ts';
import type { RunView, Runs, ServiceRunAction } from '../service.ts';

/** Where a run is or was, and its name for people. */
export interface RunPlace extends Place {
  name: string;
}

/** Throws unless the caller may see and change the runs of this place. */
export async function authorize(place: RunPlace, { access }: Context): Promise<void> {
  if (!(await access.allows('see', place))) throw noSuchRun('id');
  if (await access.allows('act', place)) return;
  throw new SlipwayError('FORBIDDEN', `You may see run ${place.name} but not change it.`, { field: 'id' });
}

/** The run, if the caller may see and change it. */
export async function changeable(runs: Runs, id: string, context: Context): Promise<RunView> {
  const run = await runs.visible(id, context.access, 'id');
  await authorize(run, context);
  return run;
}

/** The run, if the caller may see and change it, and this is safe on it. */
export async function allowed(runs: Runs, action: ServiceRunAction, id: string, context: Context): Promise<RunView> {
  const run = await changeable(runs, id, context);
  const obstacle = obstacleTo(action, run);
  if (!obstacle) return run;
  throw new SlipwayError('NOT_SUPPORTED', obstacle.message, { field: 'id', reason: obstacle.reason });
}
