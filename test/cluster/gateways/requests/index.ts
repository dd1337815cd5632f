import type { HTTPRoute } from '../../../../src/k8s/resources.ts';
import { failing } from './failing.ts';
import { hostnames } from './hostnames.ts';
import { matching } from './matching.ts';
import type { RouteSpec, Topic } from './model.ts';
import { paths } from './paths.ts';
import { rewritten } from './rewriting.ts';

export { type Expected, listeners, type Request } from './model.ts';

/** Gateway API's own conformance cases, and the rows that they lack. */
export const topics: readonly Topic[] = [...paths, ...matching, ...hostnames, ...rewritten, ...failing];

export function routeOf(spec: RouteSpec, parent: { namespace: string; name: string }, namespace: string): HTTPRoute {
  const { name, hostnames, rules, listener = 'http' } = spec;
  return {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    metadata: { name, namespace },
    spec: {
      parentRefs: [{ ...parent, sectionName: listener }],
      ...(hostnames.length > 0 && { hostnames }),
      rules,
    },
  };
}
