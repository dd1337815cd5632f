import type { Clock } from '../../clock.ts';
import type { Cluster } from '../../k8s/cluster.ts';
import { createStream, type Stream } from '../../schema/stream.ts';
import type { GatewayView } from './service.ts';
import type { Store } from './store.ts';

/** Every gateway, then every change of it. */
export function createChanges(
  store: Pick<Store, 'all' | 'subscribe' | 'known'>,
  { freshness }: Pick<Cluster, 'freshness'>,
  clock: Clock,
): Stream<GatewayView> {
  return createStream<GatewayView>({
    source: store,
    known: () => store.known(),
    id: (gateway) => gateway.id,
    uid: (gateway) => gateway.uid,
    // That a gateway was open is never merged away, however short it was.
    terminal: ({ status: { phase } }) => (phase === 'UNPROTECTED' ? phase : null),
    includes: (scope, gateway) => scope.includes(gateway),
    freshness,
    clock,
  });
}
