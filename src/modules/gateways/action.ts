import type { Cluster } from '../../k8s/cluster.ts';
import { gateways } from '../../k8s/resources.ts';
import type { RunAction } from '../runs/service.ts';

/** EXPOSE: a run with a Service of this cluster, where there is a Gateway, for who may make routes. */
export function exposeAction(cluster: Cluster): RunAction {
  return {
    action: 'EXPOSE',
    allowed: (run, { access }) => {
      const { service } = run.status;
      const possible = service !== null && service.externalName === null && service.ports.length > 0;
      return possible && cluster.cache(gateways).size > 0 && access.allows('expose', run);
    },
  };
}
