import type { Core } from '../core.ts';
import type { PodLogSource } from '../pod-logs.ts';
import { methodNotAllowed, noSuchResource } from '../status.ts';
import { serveAccessReview } from './access-review.ts';
import { discover } from './discovery.ts';
import { createOpenApi, type OpenApi } from './openapi.ts';
import { createResourceHandler } from './resources.ts';
import { type Exchange, type Handler, sendJson, sendText } from './server.ts';

/** The Kubernetes version whose API this server speaks. */
const version = {
  major: '1',
  minor: '36',
  gitVersion: 'v1.36.0+slipway',
  gitCommit: '',
  gitTreeState: '',
  buildDate: '',
  goVersion: '',
  compiler: '',
  platform: `${process.platform}/${process.arch}`,
};

const healthPaths = new Set(['/livez', '/readyz', '/healthz']);

/** Sends each request to what answers it. */
export function createHandler(core: Core, logs: PodLogSource): Handler {
  const serveResources = createResourceHandler(core, logs);
  const openApi = createOpenApi(core);
  return async (exchange) => {
    if (serveFixed(core, openApi, exchange)) return;
    if (await serveAccessReview(exchange)) return;
    await serveResources(exchange);
  };
}

/** What does not depend on any object. */
function serveFixed(core: Core, openApi: OpenApi, { path, method, request, response }: Exchange): boolean {
  const answer = fixedAnswer(core, openApi, path, request.headers.accept);
  if (!answer) return false;
  if (method !== 'GET' && method !== 'HEAD') throw methodNotAllowed();
  if (answer.text !== undefined) sendText(response, 200, answer.text, 'text/plain; charset=utf-8');
  else if (answer.type) sendText(response, 200, JSON.stringify(answer.body), answer.type);
  else sendJson(response, 200, answer.body);
  return true;
}

function fixedAnswer(
  core: Core,
  openApi: OpenApi,
  path: string,
  accept: string | undefined,
): { body?: unknown; text?: string; type?: string } | undefined {
  if (healthPaths.has(path)) return { text: 'ok' };
  if (path === '/version') return { body: version };
  if (path === '/openapi/v3') return { body: openApi.index() };
  if (path.startsWith('/openapi/v3/')) {
    const body = openApi.document(path.slice('/openapi/v3/'.length));
    if (!body) throw noSuchResource();
    return { body };
  }
  return discover(core, path, accept);
}
