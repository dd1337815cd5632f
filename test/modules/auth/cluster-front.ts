import { EventEmitter, once } from 'node:events';
import { type IncomingMessage, type ServerResponse, createServer, request as send } from 'node:http';
import type { AddressInfo } from 'node:net';

interface Question {
  user: string;
  groups: string[];
  verb: string;
  resource: string;
  namespace: string;
}

/** Whether a right is given; `resource` is `services/proxy` where there is a subresource, `namespace` '' asks for all. */
export type Rbac = (question: Question) => boolean;

/** A write that came through, and as whom. */
export interface Write {
  method: string;
  path: string;
  user: string | undefined;
  groups: string[];
}

/**
 * The embedded cluster with RBAC in front of it: answers SubjectAccessReviews by `rbac`, and passes on everything else.
 * What comes in a caller's name is checked as an API server would.
 */
export async function startClusterFront(clusterUrl: string) {
  const questions: Question[] = [];
  const writes: Write[] = [];
  const impersonated: { user: string | undefined; groups: string[] }[] = [];
  const seen = new EventEmitter();
  const state = { rbac: (() => false) as Rbac, fault: null as null | ((response: ServerResponse) => void) };
  const held: (() => void)[] = [];
  let holding = false;

  const server = createServer((request, response) => {
    const isReview = request.url?.startsWith('/apis/authorization.k8s.io/v1/subjectaccessreviews');
    if (isReview) void review(request, response);
    else pass(request, response);
  });

  async function review(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { spec } = JSON.parse(await bodyOf(request)) as { spec: Spec };
    const { resource, subresource, verb, namespace = '' } = spec.resourceAttributes;
    const question = {
      user: spec.user,
      groups: spec.groups,
      verb,
      resource: subresource ? `${resource}/${subresource}` : resource,
      namespace,
    };
    questions.push(question);
    seen.emit('question');
    if (holding) await new Promise<void>((resolve) => held.push(resolve));
    if (state.fault) return state.fault(response);
    response.writeHead(201, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ kind: 'SubjectAccessReview', spec, status: { allowed: state.rbac(question) } }));
  }

  function pass(request: IncomingMessage, response: ServerResponse): void {
    const [user] = namesIn(request, 'impersonate-user');
    const groups = namesIn(request, 'impersonate-group');
    if (user !== undefined || groups.length > 0) impersonated.push({ user, groups });
    const { pathname, searchParams } = new URL(request.url ?? '/', clusterUrl);
    if (user !== undefined && !allowed(request.method ?? '', pathname, user, groups)) {
      const message = `${user} cannot ${request.method} ${pathname}`;
      response.writeHead(403, { 'content-type': 'application/json' });
      return void response.end(
        JSON.stringify({ kind: 'Status', status: 'Failure', reason: 'Forbidden', code: 403, message }),
      );
    }
    if (request.method !== 'GET' && !searchParams.has('dryRun')) {
      writes.push({ method: request.method ?? '', path: pathname, user, groups });
    }
    const { host: _, ...headers } = request.headers;
    const outgoing = send(new URL(request.url ?? '/', clusterUrl), { method: request.method, headers });
    outgoing.on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.on('error', () => response.destroy());
      answer.pipe(response);
    });
    outgoing.on('error', () => response.destroy());
    response.on('close', () => outgoing.destroy());
    request.pipe(outgoing);
  }

  function allowed(method: string, path: string, user: string, groups: string[]): boolean {
    const found = /^\/(?:api|apis\/[^/]+)\/[^/]+(?:\/namespaces\/([^/]+))?\/([^/]+)(?:\/([^/]+)(?:\/([^/]+))?)?$/.exec(
      path,
    );
    const [, namespace = '', kind = '', name, subresource] = found ?? [];
    const verb = method === 'GET' ? (name ? 'get' : 'list') : (verbs[method] ?? '');
    return state.rbac({ user, groups, verb, resource: subresource ? `${kind}/${subresource}` : kind, namespace });
  }

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    questions,
    writes,
    impersonated,
    state,
    /** Keeps SubjectAccessReviews waiting until the returned function is called. */
    hold: (): (() => void) => {
      holding = true;
      return () => {
        holding = false;
        for (const go of held.splice(0)) go();
      };
    },
    /** The next SubjectAccessReview is there. */
    asked: () => once(seen, 'question'),
    async stop(): Promise<void> {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

export type ClusterFront = Awaited<ReturnType<typeof startClusterFront>>;

/** UTF-8, as the API server reads them. */
function namesIn(request: IncomingMessage, header: string): string[] {
  return (request.headersDistinct[header] ?? []).map((value) => Buffer.from(value, 'latin1').toString('utf8'));
}

const verbs: Record<string, string> = { POST: 'create', PUT: 'update', PATCH: 'patch', DELETE: 'delete' };

interface Spec {
  user: string;
  groups: string[];
  resourceAttributes: { verb: string; resource: string; subresource?: string; namespace?: string };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request) text += chunk;
  return text;
}

/** What RBAC would give for these rules: rights by user or group, for a namespace or (`*`) all of them. */
export function bindings(rules: Record<string, { namespace: string; rights: readonly string[] }>): Rbac {
  return ({ user, groups, verb, resource, namespace }) =>
    [user, ...groups].some((subject) => {
      const rule = rules[subject];
      if (!rule || (rule.namespace !== '*' && rule.namespace !== namespace)) return false;
      return rule.rights.includes(`${verb} ${resource}`) || rule.rights.includes('*');
    });
}

const view = ['get deployments', 'list deployments', 'get services', 'get pods/log'];
const edit = [
  ...view,
  'create services/proxy',
  ...['create', 'update', 'patch', 'delete'].flatMap((verb) => [`${verb} deployments`, `${verb} services`]),
  'patch deployments/scale',
  'update deployments/scale',
  'get deployments/scale',
];
export const clusterRoles = { view, edit, admin: ['*'] } as const;
