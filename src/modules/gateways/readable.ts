import { SlipwayError } from '../../errors.ts';
import type { Cache } from '../../k8s/cluster.ts';
import type { KubeObject } from '../../k8s/resources.ts';

/** What our identity may not list would seem not to be there. Of a kind that the cluster is without there are none. */
export function refuseUnread({ resource, synced }: Cache<KubeObject>): void {
  if (synced) return;
  const message =
    `The server could not list the ${resource.plural} of this cluster so far, so it can't tell what is there. If that ` +
    'stays so, `slipway check` says which right it lacks.';
  throw new SlipwayError('UNAVAILABLE', message, { reason: 'NOT_READABLE' });
}
