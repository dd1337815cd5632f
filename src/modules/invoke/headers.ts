import { SlipwayError, invalid } from '../../errors.ts';

export interface Header {
  name: string;
  value: string;
}

export const headerLimits = { count: 64, bytes: 8192, totalBytes: 32_768 } as const;

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const visible = /^[\t\x20-\x7e]*$/;

// Framing and connection are the transport's; identity and origin of the caller are the platform's to tell.
const denied = new Set([
  'host',
  'content-length',
  'transfer-encoding',
  'connection',
  'keep-alive',
  'te',
  'trailer',
  'upgrade',
  'http2-settings',
  'expect',
  'forwarded',
  'via',
  'x-real-ip',
  'x-original-url',
  'x-rewrite-url',
  'cookie',
  'cookie2',
]);
const deniedPrefixes = ['proxy-', 'x-forwarded-', 'x-remote-', 'impersonate-'];

function isDenied(name: string): boolean {
  const lower = name.toLowerCase();
  return denied.has(lower) || lower === 'x-forwarded' || deniedPrefixes.some((prefix) => lower.startsWith(prefix));
}

function problem({ name, value }: Header, index: number): SlipwayError | null {
  const field = `headers.${index}`;
  if (name.length > 256 || !token.test(name)) {
    return new SlipwayError('HEADER_NOT_ALLOWED', 'That is not a header name: use letters, digits and hyphens.', {
      field: `${field}.name`,
      reason: 'HEADER_NAME',
    });
  }
  if (isDenied(name)) {
    return new SlipwayError('HEADER_NOT_ALLOWED', `The header "${name}" can't be set on a call: leave it out.`, {
      field: `${field}.name`,
      reason: 'HEADER_DENIED',
    });
  }
  if (name.length + value.length > headerLimits.bytes) {
    return tooLarge(`${field}.value`, `The header "${name}" is longer than ${headerLimits.bytes} bytes.`);
  }
  if (!visible.test(value)) {
    return invalid(
      `${field}.value`,
      `The value of the header "${name}" has line breaks, control characters or characters outside ASCII.`,
      'HEADER_VALUE',
    );
  }
  return null;
}

function tooLarge(field: string, message: string): SlipwayError {
  return new SlipwayError('REQUEST_TOO_LARGE', message, { field, reason: 'HEADERS_TOO_LARGE' });
}

/** Everything wrong with the headers of a call; [] when they may be sent as they are, in their order. */
export function headerProblems(headers: readonly Header[]): SlipwayError[] {
  if (headers.length > headerLimits.count) {
    return [tooLarge('headers', `A call has at most ${headerLimits.count} headers, not ${headers.length}.`)];
  }
  const problems = headers.flatMap((header, index) => problem(header, index) ?? []);
  const bytes = headers.reduce((sum, header) => sum + header.name.length + header.value.length, 0);
  if (problems.length === 0 && bytes > headerLimits.totalBytes) {
    return [tooLarge('headers', `The headers have more than ${headerLimits.totalBytes} bytes in all.`)];
  }
  return problems;
}
