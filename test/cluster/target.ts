import { inject } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { readKubeconfig } from '../../src/k8s/kubeconfig.ts';
import type { OpenTarget } from './conformance/suite.ts';

/** The cluster of this run. */
export function realTarget(): OpenTarget {
  const { url, tls, credentials } = readKubeconfig({ paths: inject('cluster').kubeconfig, clock: systemClock });
  return {
    url,
    tls,
    credentials,
    async prepare(api, namespace) {
      // Controllers put these into every new namespace; without the first no Pod can be made.
      await api.until(`/api/v1/namespaces/${namespace}/serviceaccounts/default`, () => true);
      await api.until(`/api/v1/namespaces/${namespace}/configmaps/kube-root-ca.crt`, () => true);
    },
  };
}
