import type { IncomingMessage, ServerResponse } from 'node:http';

/**
 * Tells a browser that pages of these origins may call and read. Never with credentials: callers show a token, not a
 * cookie. True when the request was a preflight, which is then answered.
 */
export function answerCors(request: IncomingMessage, response: ServerResponse, origins: ReadonlySet<string>): boolean {
  const { origin } = request.headers;
  if (origins.size > 0) response.appendHeader('vary', 'Origin');
  if (origin === undefined || !origins.has(origin)) return false;
  response.setHeader('access-control-allow-origin', origin);
  if (request.method !== 'OPTIONS' || request.headers['access-control-request-method'] === undefined) return false;
  response.writeHead(204, {
    'access-control-allow-methods': 'GET, POST',
    'access-control-allow-headers': 'authorization, content-type',
    'access-control-max-age': '600',
  });
  response.end();
  return true;
}
