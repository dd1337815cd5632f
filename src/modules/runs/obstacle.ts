import { slipwaySource } from './sources/slipway.ts';
import type { RunView, ServiceRunAction } from './service.ts';

/** Why an action would not be safe on a run that Slipway did not make. */
export interface Obstacle {
  reason: 'CONTROLLED' | 'FOREIGN_RUN';
  message: string;
}

/**
 * Stopping, scaling and restarting can be taken back, so they are safe on anybody's run, unless a controller would undo
 * them. Deleting can't: what else belongs to the run only its maker knows.
 */
export function obstacleTo(action: ServiceRunAction, run: RunView): Obstacle | null {
  const { workload } = run.objects;
  const controller = workload?.metadata.ownerReferences?.find((owner) => owner.controller);
  if (controller) {
    const message = `Deployment ${workload?.metadata.name} is controlled by ${controller.kind} ${controller.name}, which would undo this: change that instead.`;
    return { reason: 'CONTROLLED', message };
  }
  if (action !== 'DELETE' || run.source === slipwaySource.name) return null;
  const message = `Run ${run.name} was not made by Slipway but found by the source ${run.source}: it can be stopped here, but only be deleted where it was made.`;
  return { reason: 'FOREIGN_RUN', message };
}
