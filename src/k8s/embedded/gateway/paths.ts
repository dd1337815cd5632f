/** A request target: the path in normal form, and the query byte for byte (with its `?`; '' when there is none). */
export interface Target {
  path: string;
  query: string;
}

export type NormalizedTarget = Target | { redirect: string } | { malformed: true };

const unreserved = /[A-Za-z0-9._~-]/;

/**
 * Brings the path into the form that routes are matched on and the backend gets, as Envoy Gateway does: a path that
 * only looks different must never reach a backend past the route that protects it. Dot segments are resolved,
 * repeated slashes merged, escapes of unreserved characters undone; an escaped slash is answered by a redirect to the
 * plain form. The query is left alone.
 */
export function normalizeTarget(url: string): NormalizedTarget {
  const cut = url.indexOf('?');
  const path = cut < 0 ? url : url.slice(0, cut);
  const query = cut < 0 ? '' : url.slice(cut);
  if (!path.startsWith('/') || url.includes('#') || /%(?![0-9A-Fa-f]{2})|%00/.test(path)) return { malformed: true };
  const unescaped = path.replace(/%2f|%5c/gi, '/');
  const plain = unescaped
    .replace(/%([0-9A-Fa-f]{2})/g, (escape, hex: string) => {
      const character = String.fromCharCode(Number.parseInt(hex, 16));
      return unreserved.test(character) ? character : escape;
    })
    .replaceAll('\\', '/')
    .replace(/\/{2,}/g, '/');
  const normal = removeDotSegments(plain);
  return unescaped === path ? { path: normal, query } : { redirect: normal + query };
}

function removeDotSegments(path: string): string {
  if (!path.includes('/.')) return path;
  const kept: string[] = [];
  const segments = path.slice(1).split('/');
  for (const [index, segment] of segments.entries()) {
    const last = index === segments.length - 1;
    if (segment === '..') kept.pop();
    if (segment !== '..' && segment !== '.') kept.push(segment);
    else if (last) kept.push('');
  }
  return `/${kept.join('/')}`;
}

/** Whether `path` lies under `prefix`, by whole elements: `/abc` and `/abc/` both match `/abc` and `/abc/d`, not `/abcd`. */
export function hasPathPrefix(path: string, prefix: string): boolean {
  const stem = withoutTrailingSlash(prefix);
  return path.startsWith(stem) && (path.length === stem.length || path[stem.length] === '/');
}

/** ReplacePrefixMatch: the path with its matched prefix replaced, by the table of the Gateway API. */
export function replacePathPrefix(path: string, prefix: string, replacement: string): string {
  const rest = path.slice(withoutTrailingSlash(prefix).length);
  const stem = withoutTrailingSlash(replacement);
  if (stem === '') return rest.replace(/^\/*/, '/');
  return withLeadingSlash(stem) + rest;
}

/** ReplaceFullPath. */
export function replaceFullPath(replacement: string): string {
  return withLeadingSlash(replacement);
}

/** Whether a replacement is a plain path: one with a query, a blank or a fragment would change more than the path. */
export function isPlainPath(value: string): boolean {
  return /^(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})*$/.test(value);
}

function withoutTrailingSlash(path: string): string {
  return path.replace(/\/+$/, '');
}

function withLeadingSlash(path: string): string {
  return path.startsWith('/') ? path : `/${path}`;
}
