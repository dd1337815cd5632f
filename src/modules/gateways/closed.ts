import { randomBytes } from 'node:crypto';
import type { JsonPatchOperation } from '../../k8s/cluster.ts';
import type { HTTPRoute, HTTPRouteMatch } from '../../k8s/resources.ts';

/**
 * A controller reads policies and routes from watches of their own, and a data plane takes over listeners and routes one
 * after the other. Until a protection is in force its route is closed: it asks for a header whose value nobody knows.
 */
const closedHeader = 'x-slipway-closed';

const matches = '/spec/rules/0/matches';

const unknownHeader = () => [{ name: closedHeader, value: randomBytes(24).toString('base64url') }];

/** The route of one rule and match, closed. */
export function closed(route: HTTPRoute): HTTPRoute {
  const headers = unknownHeader();
  const rules = route.spec.rules?.map((rule) => ({
    ...rule,
    matches: rule.matches?.map((match) => ({ ...match, headers })) ?? [{ headers }],
  }));
  return { ...route, spec: { ...route.spec, ...(rules && { rules }) } };
}

/** Closes a route of one rule and match; one that is closed gets another value, which ends what waits for the old one. */
export function closePatch(route: HTTPRoute): JsonPatchOperation[] {
  const headers = unknownHeader();
  return route.spec.rules?.[0]?.matches?.length
    ? [{ op: 'add', path: `${matches}/0/headers`, value: headers }]
    : [{ op: 'add', path: matches, value: [{ headers }] }];
}

export const isClosing = ({ headers = [] }: HTTPRouteMatch): boolean =>
  headers.length === 1 && headers[0]?.name === closedHeader;

/** The value by which a route is closed: another one each time; null: it is open. */
export function closedBy(route: HTTPRoute): string | null {
  const match = route.spec.rules?.[0]?.matches?.[0];
  return match && isClosing(match) ? (match.headers?.[0]?.value ?? '') : null;
}

export const isClosed = (route: HTTPRoute): boolean => closedBy(route) !== null;

/** Opens a route. */
export const openPatch = (route: HTTPRoute): JsonPatchOperation[] =>
  isClosed(route) ? [{ op: 'remove', path: `${matches}/0/headers` }] : [];

/** What a route says whether or not it is closed. */
export function openSpec({ spec }: HTTPRoute): HTTPRoute['spec'] {
  const rules = spec.rules?.map((rule) => ({
    ...rule,
    ...(rule.matches && {
      matches: rule.matches.map((match) => {
        if (!isClosing(match)) return match;
        const { headers: _, ...open } = match;
        return open;
      }),
    }),
  }));
  return { ...spec, ...(rules && { rules }) };
}
