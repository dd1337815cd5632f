import { invalid, type SlipwayError } from '../../errors.ts';

const segmentCharacters = /^\/(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|%[0-9a-fA-F]{2})*$/;

/** Why a text can't be a path prefix; null when it can. */
function pathProblem(path: string, field: string): SlipwayError | null {
  const refuse = (message: string) => invalid(field, message, 'PATH_INVALID');
  const shown = JSON.stringify(path.slice(0, 80));
  if (!path.startsWith('/')) return refuse(`${shown} must start with "/".`);
  if (path.length > 1024) return refuse('A path prefix has at most 1024 characters.');
  if (path.includes('//')) return refuse(`${shown} has two slashes in a row.`);
  if (/%(2e|2f|5c|[01][0-9a-f]|7f)/i.test(path)) {
    return refuse(`${shown} hides a dot, a slash, a backslash or a control character in percent encoding.`);
  }
  if (path.split('/').some((segment) => segment === '.' || segment === '..')) {
    return refuse(`${shown} must not contain "." or ".." as a segment.`);
  }
  if (!segmentCharacters.test(path)) {
    return refuse(
      `${shown} has a character that paths may not have. Use letters, digits, -._~!$&'()*+,;=:@ and percent ` +
        'encoding; no query, no fragment, no blanks.',
    );
  }
  return null;
}

/** Gateways ignore a trailing slash of a prefix, some wrongly: only the form without it is written. */
export function trimSlash(path: string): string {
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
}

export interface Prefixes {
  pathPrefix: string;
  /** null: the service gets the path unchanged. */
  rewritePathPrefix: string | null;
}

/** The normal form that every gateway rewrites alike; null with the errors pushed where there is none. */
export function normalPrefixes(
  input: { pathPrefix: string; rewritePathPrefix: string | null },
  errors: SlipwayError[],
): Prefixes | null {
  const replacement = input.rewritePathPrefix === '' ? '/' : input.rewritePathPrefix;
  const problems = [
    pathProblem(input.pathPrefix, 'pathPrefix'),
    replacement === null ? null : pathProblem(replacement, 'rewritePathPrefix'),
  ].filter((problem) => problem !== null);
  errors.push(...problems);
  if (problems.length > 0) return null;
  const pathPrefix = trimSlash(input.pathPrefix);
  const rewritePathPrefix = replacement === null ? null : trimSlash(replacement);
  if (rewritePathPrefix === null || rewritePathPrefix === pathPrefix) return { pathPrefix, rewritePathPrefix: null };
  if (pathPrefix === '/') {
    const message =
      `The prefix "/" can't be replaced by "${rewritePathPrefix}": gateways forward /test as ${rewritePathPrefix}test. ` +
      'Give a pathPrefix such as "/api", or leave rewritePathPrefix out.';
    errors.push(invalid('rewritePathPrefix', message, 'ROOT_REWRITE'));
    return null;
  }
  return { pathPrefix, rewritePathPrefix };
}

/** Whether requests under `inner` are also under `outer`: whole segments count. */
export function liesUnder(inner: string, outer: string): boolean {
  const [a, b] = [trimSlash(inner), trimSlash(outer)];
  return b === '/' || a === b || a.startsWith(`${b}/`);
}
