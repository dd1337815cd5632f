import type { Scope } from '../../caller.ts';
import { SlipwayError } from '../../errors.ts';
import type { HTTPRoute } from '../../k8s/resources.ts';
import { intersects } from './hostname.ts';
import { namedListeners, type ParentLookup, shareParent } from './parents.ts';
import { liesUnder, trimSlash } from './paths.ts';
import { parentsOf } from './route.ts';
import type { ParentName } from './service.ts';

/** The place on a Gateway that a route takes. */
export interface Claim {
  namespace: string;
  name: string;
  project: string | null;
  parent: ParentName;
  hostname: string;
  pathPrefix: string;
}

export interface ClashSources {
  lookup: Pick<ParentLookup, 'gateway'>;
  routes: Iterable<HTTPRoute>;
  projectOf: (route: HTTPRoute) => string | null;
  /** What the caller sees: only such routes are named. */
  scope: Scope;
}

function prefixesOf(route: HTTPRoute): string[] {
  const matches = (route.spec.rules ?? []).flatMap((rule) => (rule.matches?.length ? rule.matches : [{ path: {} }]));
  return matches
    .filter(({ path }) => path?.type !== 'RegularExpression')
    .map(({ path }) => trimSlash(path?.value ?? '/'));
}

/** The full names that a route is served under: its own, and those of listeners where it has none or a wildcard. */
function servedUnder(route: HTTPRoute, lookup: ClashSources['lookup']): Set<string> {
  const own = route.spec.hostnames ?? [];
  const names = parentsOf(route).flatMap(({ namespace, name, sectionName }) => {
    const gateway = lookup.gateway(namespace, name);
    const listeners = gateway ? namedListeners(gateway, sectionName) : [];
    return listeners.flatMap(({ hostname }) => (hostname && !hostname.startsWith('*') ? [hostname] : []));
  });
  return new Set([...own, ...names.filter((name) => own.length === 0 || own.some((one) => intersects(name, one)))]);
}

const hasPattern = ({ spec }: HTTPRoute): boolean =>
  (spec.rules ?? []).some(({ matches = [] }) => matches.some(({ path }) => path?.type === 'RegularExpression'));

/**
 * The route that stands in a claim's way. Gateways know no conflict: of two routes with the same hostname and prefix
 * the older one silently wins, and a longer prefix takes traffic away from whoever has the hostname; what a regular
 * expression leaves free, nobody can tell. Beside or above somebody else's prefix there is room.
 */
export function clashOf(claim: Claim, { routes, lookup, projectOf, scope }: ClashSources): SlipwayError | null {
  for (const route of routes) {
    const { namespace = '', name } = route.metadata;
    if (namespace === claim.namespace && name === claim.name) continue;
    if (!shareParent(claim.parent, route) || !servedUnder(route, lookup).has(claim.hostname)) continue;
    const project = projectOf(route);
    const foreign = namespace !== claim.namespace || project !== claim.project;
    const prefixes = prefixesOf(route);
    const seen = scope.includes({ namespace, project }) ? ` (gateway ${name} in ${namespace})` : '';
    if (foreign && (hasPattern(route) || prefixes.some((prefix) => liesUnder(claim.pathPrefix, prefix)))) {
      const message = `The hostname ${claim.hostname} belongs to somebody else${seen}. Choose another one.`;
      return new SlipwayError('CONFLICT', message, { field: 'hostname', reason: 'HOSTNAME_TAKEN' });
    }
    if (prefixes.includes(claim.pathPrefix)) {
      const message = `${claim.hostname}${claim.pathPrefix} is taken${seen}. Choose another prefix or hostname.`;
      return new SlipwayError('CONFLICT', message, { field: 'pathPrefix', reason: 'PATH_TAKEN' });
    }
  }
  return null;
}
