import type { HeaderModifier } from '../../resources.ts';

/** Header lines in the order and spelling they came in; several lines may have one name. */
export type HeaderLines = [name: string, value: string][];

export function headerLines(rawHeaders: readonly string[]): HeaderLines {
  const lines: HeaderLines = [];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    lines.push([rawHeaders[index] ?? '', rawHeaders[index + 1] ?? '']);
  }
  return lines;
}

export function headerValues(lines: HeaderLines, name: string): string[] {
  const wanted = name.toLowerCase();
  return lines.filter(([present]) => present.toLowerCase() === wanted).map(([, value]) => value);
}

export function removeHeader(lines: HeaderLines, name: string): HeaderLines {
  const unwanted = name.toLowerCase();
  return lines.filter(([present]) => present.toLowerCase() !== unwanted);
}

export function setHeader(lines: HeaderLines, name: string, value: string): HeaderLines {
  return [...removeHeader(lines, name), [name, value]];
}

/** Applies a RequestHeaderModifier or ResponseHeaderModifier: set, then add, then remove. */
export function modifyHeaders(lines: HeaderLines, modifier: HeaderModifier): HeaderLines {
  let result = lines;
  for (const { name, value } of modifier.set ?? []) result = setHeader(result, name, value);
  for (const { name, value } of modifier.add ?? []) result = [...result, [name, value]];
  for (const name of modifier.remove ?? []) result = removeHeader(result, name);
  return result;
}

const hopByHop = new Set([
  'connection',
  'expect',
  'http2-settings',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** What remains of a message's headers beyond this hop (RFC 9110, 7.6.1): those named by Connection go too. */
export function endToEndHeaders(lines: HeaderLines): HeaderLines {
  const named = headerValues(lines, 'connection').flatMap((value) =>
    value.split(',').map((token) => token.trim().toLowerCase()),
  );
  const dropped = new Set([...hopByHop, ...named]);
  // Host and Content-Length frame and route the message: a client must not take them away by naming them in Connection.
  dropped.delete('host');
  dropped.delete('content-length');
  return lines.filter(([name]) => !dropped.has(name.toLowerCase()));
}
