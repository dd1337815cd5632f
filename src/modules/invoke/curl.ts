import type { Entry } from './entry.ts';
import { redactedValue } from './redaction.ts';

/**
 * The call as a command line for a POSIX shell; redacted and cut parts are placeholders in angle brackets. Null when
 * the history has too little of it, or it holds what no shell can pass on.
 */
export function curlCommand({ request, recorded }: Entry, body: string | null): string | null {
  // curl sends no body with --head, and without it waits for one that never comes.
  if (!recorded || !request.repeatable || (request.method === 'HEAD' && body !== null)) return null;
  const parts = ['curl', '--globoff', '--path-as-is'];
  if (request.method === 'HEAD') parts.push('--head');
  else if (request.method !== 'GET' || body !== null) parts.push('-X', request.method);
  for (const { name, value, redacted } of request.headers) {
    // curl drops a header that is written without a value, unless it ends with a semicolon.
    if (redacted) parts.push('-H', quote(`${name}: <${name}>`));
    else parts.push('-H', quote(value === '' ? `${name};` : `${name}: ${value}`));
  }
  const typed = request.headers.some(({ name }) => name.toLowerCase() === 'content-type');
  // Unless told otherwise it calls every body a form.
  if (body !== null && !typed) parts.push('-H', 'Content-Type:');
  if (request.bodyCut || request.bodyRedacted) parts.push('--data-raw', quote('<body>'));
  else if (body !== null) parts.push('--data-raw', quote(body));
  parts.push(quote(request.url.replaceAll(redactedValue, '<redacted>')));
  return parts.some((part) => part.includes('\0')) ? null : parts.join(' ');
}

/** One word for the shell, whatever is in it: control characters are escaped so that pasting runs nothing. */
function quote(text: string): string {
  if (/^[\w@%+=:,./-]+$/.test(text)) return text;
  // oxlint-disable-next-line no-control-regex -- control characters are what this is about
  if (!/[\x00-\x1f\x7f\u0080-\u009f]/.test(text)) return `'${text.replaceAll("'", String.raw`'\''`)}'`;
  const escaped = text.replace(/[\\']/g, String.raw`\$&`).replace(
    // oxlint-disable-next-line no-control-regex -- as above
    /[\x01-\x1f\x7f\u0080-\u009f]/g,
    (character) => (character === '\n' ? String.raw`\n` : [...Buffer.from(character)].map(hex).join('')),
  );
  return `$'${escaped}'`;
}

function hex(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, '0')}`;
}
