import type { GatewayListener } from '../../k8s/resources.ts';
import type { Millis } from '../runs/service.ts';
import { encrypted, type ParentLookup, urlOf } from './parents.ts';
import { inheritedPolicy } from './policies.ts';
import type { RouteShape } from './route.ts';
import type { GatewayAuth, Policy } from './service.ts';
import type { KnownBackend, ParentTarget } from './targets.ts';

/** Something that is allowed but may not be meant. */
export interface GatewayNotice {
  code: string;
  message: string;
  field: string | null;
}

export interface NoticeInput {
  shape: RouteShape & { hostname: string };
  /** OTHER: there is protection, but not of our making. */
  auth: GatewayAuth | { kind: 'OTHER' };
  /** False: the caller may not read the Secret that it names. */
  secretKnown: boolean;
  parent: ParentTarget;
  taking: readonly GatewayListener[];
  backend: KnownBackend;
  /** How long it will be closed; null: not at all. */
  closedMs: Millis | null;
  /** Those whose names lead to the Gateways, as far as the configuration says. */
  domains: readonly string[];
  policiesIn: (namespace: string) => Iterable<Policy>;
  lookup: ParentLookup;
}

export function noticesOf(input: NoticeInput): GatewayNotice[] {
  return [
    ...authNotices(input),
    ...closedNotices(input),
    ...inheritanceNotices(input),
    ...hostnameNotices(input),
    ...pathNotices(input),
    ...backendNotices(input),
  ];
}

const notice = (code: string, field: string | null, message: string): GatewayNotice => ({ code, message, field });

function authNotices({ auth, secretKnown, shape, taking, parent, lookup }: NoticeInput): GatewayNotice[] {
  const notices: GatewayNotice[] = [];
  const plain = taking.find((listener) => !encrypted(listener));
  if (auth.kind === 'NONE') {
    notices.push(notice('NO_AUTH', 'auth.none', `Everybody who reaches ${shape.hostname} may call this service.`));
  } else if (plain) {
    const url = urlOf(parent.gateway, plain, shape, lookup) ?? shape.hostname;
    const message = `Credentials travel unencrypted to ${url}: anybody on the way can read them.`;
    notices.push(notice('CREDENTIALS_IN_CLEAR', 'parent', message));
  }
  if (auth.kind === 'BASIC') {
    const message =
      'The gateway takes only unsalted SHA-1 hashes: use long random passwords, as Slipway generates them.';
    notices.push(notice('WEAK_HASH', 'auth.basic.secretName', message));
  }
  if (!secretKnown && (auth.kind === 'BASIC' || auth.kind === 'API_KEY')) {
    const message =
      `You may not read the Secret ${auth.secretName}, so whether it is there and can serve was not checked: ` +
      (auth.kind === 'BASIC'
        ? 'if it can not, all calls are refused.'
        : 'if it is missing all calls are refused, and whatever it holds counts as an API key.');
    const field = auth.kind === 'BASIC' ? 'auth.basic.secretName' : 'auth.apiKey.secretName';
    notices.push(notice('SECRET_UNCHECKED', field, message));
  }
  if (auth.kind === 'JWT' && auth.audiences.length === 0) {
    const message = `Tokens that ${auth.issuer} made for any other service pass too. Give the audiences of this one.`;
    notices.push(notice('AUDIENCES_UNCHECKED', 'auth.jwt.audiences', message));
  }
  return notices;
}

function closedNotices({ closedMs }: NoticeInput): GatewayNotice[] {
  if (closedMs === null) return [];
  const message =
    'The gateway is closed to everybody until this protection is in force for every connection: for about ' +
    `${Math.ceil(closedMs / 1000)} s from when its Gateway has accepted it. Then it opens by itself.`;
  return [notice('CLOSED_AT_FIRST', 'auth', message)];
}

function inheritanceNotices({ auth, parent, taking, policiesIn }: NoticeInput): GatewayNotice[] {
  const names = taking.map(({ name }) => name);
  const inherited = inheritedPolicy(parent.gateway, names, policiesIn(parent.ref.namespace));
  if (!inherited) return [];
  const { name } = inherited.metadata;
  return [
    auth.kind === 'NONE'
      ? notice('POLICY_INHERITED', 'auth', `The policy ${name} of the Gateway still applies to this route.`)
      : notice(
          'POLICY_REPLACED',
          'auth',
          `The policy ${name} of the Gateway no longer applies to this route, as a whole.`,
        ),
  ];
}

function hostnameNotices({ shape: { hostname }, domains }: NoticeInput): GatewayNotice[] {
  if (domains.some((domain) => hostname.endsWith(`.${domain}`))) return [];
  const message = `${hostname} is not under ${domains.join(' or ')}: clients find it only if its DNS record leads to the Gateway.`;
  return [notice('DNS_NEEDED', 'hostname', message)];
}

function pathNotices({ shape }: NoticeInput): GatewayNotice[] {
  const { pathPrefix, rewritePathPrefix } = shape;
  if (rewritePathPrefix !== null) {
    const message =
      `The service gets ${pathPrefix}/x as ${rewritePathPrefix === '/' ? '' : rewritePathPrefix}/x. Links, redirects and ` +
      'cookie paths in its answers are not rewritten, so a web interface may break.';
    return [notice('ANSWERS_NOT_REWRITTEN', 'rewritePathPrefix', message)];
  }
  if (pathPrefix === '/') return [];
  const message = `The service gets the path unchanged, with ${pathPrefix}. Give rewritePathPrefix "/" to strip it.`;
  return [notice('PREFIX_NOT_STRIPPED', 'rewritePathPrefix', message)];
}

function backendNotices({ backend }: NoticeInput): GatewayNotice[] {
  if (!backend.run || backend.run.status.replicas.ready > 0) return [];
  const message = `The service has no ready replica: requests get 503 until it has. ${backend.run.status.message ?? ''}`;
  return [notice('BACKEND_NOT_READY', 'backend.service', message.trim())];
}
