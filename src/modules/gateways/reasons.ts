import type { GatewayAuthView } from './service.ts';

/** What the sentences may name. */
export interface ReasonNames {
  hostname: string;
  namespace: string;
  /** The Gateway as `namespace/name`. */
  parent: string;
  /** The backend as `service:port`. */
  backend: string;
  policy: string;
  secret: string | null;
  /** The controller's own words. */
  detail: string | null;
}

type Sentence = (names: ReasonNames) => string;

const routeReasons: Record<string, Sentence> = {
  NoMatchingParent: ({ parent }) =>
    `The Gateway ${parent} has no such listener. Choose another parent, or leave its section name out.`,
  NotAllowedByListeners: ({ parent, namespace }) =>
    `The listeners of ${parent} take no routes from the namespace ${namespace}. ` +
    'Choose another parent, or ask its operator to allow the namespace.',
  NoMatchingListenerHostname: ({ parent, hostname }) =>
    `No listener of ${parent} serves ${hostname}. Choose a hostname under one of its listeners.`,
  BackendNotFound: ({ backend }) =>
    `The Service ${backend} does not exist, so requests get 500. Start the service again, or choose another backend.`,
  RefNotPermitted: ({ backend }) =>
    `The Service ${backend} is in another namespace that does not permit this. Expose it from its own namespace.`,
  InvalidKind: () => 'The route points to something that is no Service. Choose a Service as the backend.',
  UnsupportedProtocol: ({ backend }) =>
    `The gateway does not speak the protocol of ${backend}. Choose a port that serves HTTP.`,
  UnsupportedValue: () => 'The route says something that this gateway does not support. Remove it from the route.',
  IncompatibleFilters: () => 'The filters of the route contradict each other. Remove one of them.',
  Pending: ({ parent }) => `The Gateway ${parent} has not looked at the route yet. Wait a moment.`,
};

const policyReasons: Record<string, Sentence> = {
  Conflicted: ({ policy }) =>
    `Another policy is attached to the same route, so ${policy} has no effect. Delete the other one.`,
  TargetNotFound: ({ policy }) =>
    `The policy ${policy} does not find the route, so it protects nothing. Set the protection again.`,
  Overridden: ({ policy }) =>
    `A more specific policy replaces ${policy}. Delete that one, or protect the gateway by it on purpose.`,
  Invalid: ({ policy, secret, detail }) =>
    secret && detail && /secret/i.test(detail)
      ? `The gateway can't use the Secret ${secret}, so requests get 500. Create it again, or choose another one.`
      : `The gateway can't use the policy ${policy}, so requests get 500. Set the protection again.`,
};

const parentReasons: Record<string, Sentence> = {
  NotProgrammed: ({ parent }) => `The Gateway ${parent} is not in operation. Ask its operator.`,
  ListenerNotProgrammed: ({ parent }) =>
    `The listener of ${parent} is not in operation. Ask the operator of the Gateway.`,
};

const withDetail = (sentence: string, detail: string | null): string =>
  detail ? `${sentence} The gateway says: ${detail.slice(0, 300)}` : sentence;

/** What a False condition of the route means, and what to do next. */
export function routeSentence(reason: string | undefined, names: ReasonNames): string {
  const known = reason === undefined ? undefined : routeReasons[reason];
  if (known) return known(names);
  return withDetail(`The Gateway ${names.parent} refuses the route (${reason ?? 'no reason given'}).`, names.detail);
}

/** What a False condition of the policy means, and what to do next. */
export function policySentence(reason: string | undefined, names: ReasonNames): string {
  const known = reason === undefined ? undefined : policyReasons[reason];
  const sentence = known
    ? known(names)
    : `The gateway refuses the policy ${names.policy} (${reason ?? 'no reason given'}), so requests may get 500.`;
  return reason === 'Invalid' || !known ? withDetail(sentence, names.detail) : sentence;
}

/** What a Gateway or listener out of operation means. */
export function parentSentence(kind: 'NotProgrammed' | 'ListenerNotProgrammed', names: ReasonNames): string {
  return parentReasons[kind]?.(names) ?? '';
}

export const authWords: Record<GatewayAuthView['kind'], string> = {
  NONE: 'no protection',
  BASIC: 'passwords',
  API_KEY: 'API keys',
  JWT: 'signed tokens',
  OTHER: 'a policy of its own kind',
  UNKNOWN: 'a policy that can not be read',
};
