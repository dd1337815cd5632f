import type { Context } from '../../../module.ts';
import { Runs, type RunView } from '../../runs/service.ts';
import { Gateways } from '../service.ts';

/** The run behind a global id, if the caller may see it. */
export async function visibleRun(id: string | null, context: Context): Promise<RunView | null> {
  const run = id === null ? undefined : context.use(Runs).byId(id);
  return run && (await context.access.allows('see', run)) ? run : null;
}

/** What is known of gateways, once all are; refused where that is nothing at all. */
export async function readable(context: Context): Promise<Gateways> {
  await context.use(Runs).whenKnown();
  const gateways = context.use(Gateways);
  gateways.readable();
  return gateways;
}
