import { invalid } from '../../errors.ts';

export const maxPathBytes = 8192;

const notPrintable = /[^\x21-\x7e]/;
/** Most paths have nothing of the kind, and need not be taken apart. */
const mayClimb = /\.\.|%2e/i;

/**
 * Checks a path with optional query that will be sent byte for byte, and drops its fragment. Segments that a server
 * could resolve upwards (`..`, also encoded or with parameters) are refused, so what the caller wrote is what is
 * reached.
 */
export function checkPath(path: string, field = 'path'): string {
  if (path.length > maxPathBytes) {
    throw invalid(field, `The path is longer than ${maxPathBytes} bytes.`, 'PATH_TOO_LONG');
  }
  if (notPrintable.test(path)) {
    throw invalid(
      field,
      'The path has blanks, control characters or characters outside ASCII. Percent-encode them.',
      'PATH_CHARACTERS',
    );
  }
  if (path.includes('\\')) {
    throw invalid(field, 'The path has a backslash. Percent-encode it as %5C.', 'PATH_CHARACTERS');
  }
  if (!path.startsWith('/') || path.startsWith('//')) {
    throw invalid(field, 'The path must begin with exactly one "/".', 'PATH_FORM');
  }
  const [sent = '/'] = path.split('#', 1);
  const [segments = ''] = sent.split('?', 1);
  if (mayClimb.test(segments) && segments.split(/\/|%2f|%5c/i).some(climbs)) {
    throw invalid(field, 'The path has a ".." segment. Write the path it stands for.', 'PATH_DOTS');
  }
  return sent;
}

/** `..`, also with encoded dots and with the `;parameters` that some servers cut off first. */
function climbs(segment: string): boolean {
  const [name = ''] = segment.replace(/%2e/gi, '.').split(/;|%3b/i, 1);
  return name === '..';
}
