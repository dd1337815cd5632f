import type { HTTPRouteMatch } from '../../resources.ts';
import { allGuards, type Guard } from './auth/guard.ts';
import { createHostMap } from './hostnames.ts';
import { compareMatches, matchesRequest, type RankedMatch, type RoutedRequest } from './matching.ts';
import type { Policies } from './policies.ts';
import type { EvaluatedRoute, ServedRule } from './routes.ts';
import { ruleMatches } from './rules.ts';

/** What answers a request. */
export interface Entry extends ServedRule {
  match: HTTPRouteMatch;
  /** Null: the route is open. */
  guard: Guard | null;
}

/** Where requests go. Never changed: a new one takes its place. */
export interface RoutingTable {
  /** The most specific host name that some route answers to; `hostname` is the pattern it was found under. */
  host(name: string): { hostname: string; find(request: RoutedRequest): Entry | undefined } | undefined;
}

export const emptyTable: RoutingTable = { host: () => undefined };

export function buildTable(routes: readonly EvaluatedRoute[], policies: Policies): RoutingTable {
  const byHost = new Map<string, (Entry & RankedMatch)[]>();
  for (const evaluated of routes) {
    for (const [hostname, listeners] of evaluated.hostnames) {
      const entries = byHost.get(hostname) ?? [];
      byHost.set(hostname, entries);
      for (const served of evaluated.rules) {
        const guards = new Set(listeners.map((l) => policies.guard(evaluated.route, served.rule.name, l)));
        entries.push(...rankedEntries(evaluated, served, guards));
      }
    }
  }
  for (const entries of byHost.values()) entries.sort(compareMatches);
  const hosts = createHostMap(byHost);
  return {
    host(name) {
      const found = hosts.get(name);
      if (!found) return undefined;
      const find = (request: RoutedRequest) => found.value.find(({ match }) => matchesRequest(match, request));
      return { hostname: found.hostname, find };
    },
  };
}

/** A route reached over several listeners is guarded by what any of them asks for. */
function rankedEntries(
  evaluated: EvaluatedRoute,
  served: ServedRule,
  guards: Set<Guard | null>,
): (Entry & RankedMatch)[] {
  const present = [...guards].filter((guard) => guard !== null);
  const guard = present.length > 0 ? allGuards(present) : null;
  return ruleMatches(served.rule).map((match, index) => ({
    ...served,
    match,
    guard,
    route: evaluated.route,
    position: [served.index, index] as const,
  }));
}
