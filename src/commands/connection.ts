import { systemClock } from '../clock.ts';
import type { Environment, Settings } from '../config.ts';
import type { ConnectOptions } from '../k8s/connect.ts';
import type { Log } from '../log.ts';

const modes = { embedded: 'EMBEDDED', kubeconfig: 'KUBECONFIG', 'in-cluster': 'IN_CLUSTER' } as const;

/** How the settings say the cluster is reached. */
export function connectionOf(settings: Settings, environment: Environment, log: Log): ConnectOptions {
  return {
    mode: modes[settings.SLIPWAY_CLUSTER],
    namespaces: settings.SLIPWAY_NAMESPACES ?? null,
    namespace: settings.SLIPWAY_NAMESPACE,
    ...(settings.SLIPWAY_KUBE_CONTEXT !== undefined && { context: settings.SLIPWAY_KUBE_CONTEXT }),
    ...(environment.KUBECONFIG && { kubeconfig: environment.KUBECONFIG }),
    environment,
    checkEveryMs: settings.SLIPWAY_CACHE_CHECK_SECONDS * 1000,
    clock: systemClock,
    log,
  };
}
