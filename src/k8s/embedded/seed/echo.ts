import { stringify } from 'yaml';
import type { BuiltinImage } from '../runtime/images.ts';
import { serveHttp } from './http-program.ts';

/** Answers with what it was asked: as JSON, under /yaml as YAML, under /status/<n> with that status. */
export const echo: BuiltinImage = (context) =>
  serveHttp(context, ({ method, path, query, headers, body }) => {
    if (path === '/healthz') return { text: 'ok\n' };
    const seen = { method, path, query: Object.fromEntries(query), headers, body };
    const status = /^\/status\/([2-5]\d\d)$/.exec(path)?.[1];
    if (status !== undefined) return { status: Number(status), json: { status: Number(status), ...seen } };
    if (path === '/yaml') return { text: stringify(seen), contentType: 'application/yaml' };
    return { json: seen };
  });
