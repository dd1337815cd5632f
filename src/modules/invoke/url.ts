import { SlipwayError, invalid } from '../../errors.ts';
import { checkPath, maxPathBytes } from './path.ts';

/** Where a registered address leads: scheme, host and port exactly, and the path everything must lie under. */
export interface Origin {
  protocol: string;
  hostname: string;
  port: number;
  path: string;
}

const form = /^([a-z][a-z0-9+.-]*):\/\/([^/?#]*)(\/[^?#]*)?(\?[^#]*)?(#.*)?$/i;
const defaultPorts: Readonly<Record<string, number>> = { 'http:': 80, 'https:': 443 };

function originOf(url: URL): Origin | null {
  const port = url.port === '' ? defaultPorts[url.protocol] : Number(url.port);
  if (port === undefined || url.username !== '' || url.password !== '') return null;
  return { protocol: url.protocol, hostname: url.hostname, port, path: url.pathname };
}

/** Addresses of services, which are asked for at every call. */
const registeredOrigins = new Map<string, Origin | null>();
const mostOrigins = 2_000;

/** The origin of an address we wrote ourselves (`http://name.namespace:80/v2`); null when it is none. */
export function registeredOrigin(address: string): Origin | null {
  const present = registeredOrigins.get(address);
  if (present !== undefined) return present;
  const origin = parseRegistered(address);
  if (registeredOrigins.size >= mostOrigins) registeredOrigins.clear();
  registeredOrigins.set(address, origin);
  return origin;
}

function parseRegistered(address: string): Origin | null {
  const text = address.includes('://') ? address : `http://${address}`;
  return URL.canParse(text) ? originOf(new URL(text)) : null;
}

/**
 * Parses a caller's URL once. Whatever the URL parser would quietly change (tabs, blanks, full-width letters, numbers
 * as hosts, encoded dots) is refused on the raw text, so that the checks see what the caller wrote.
 */
export function parseTarget(raw: string): { origin: Origin; path: string } {
  if (raw.length > maxPathBytes + 512) throw bad('The URL is too long.');
  if (/[^\x21-\x7e]/.test(raw)) throw bad('The URL has blanks, control characters or characters outside ASCII.');
  const match = form.exec(raw);
  if (!match || raw.includes('\\') || !URL.canParse(raw)) throw bad('That is not an absolute http URL.');
  const [, , authority = '', pathname = '', query = ''] = match;
  if (authority.includes('@')) throw bad('The URL has a user name or password. Send credentials as headers.');
  const origin = originOf(new URL(raw));
  if (!origin) throw notRegistered();
  const host = authority.toLowerCase();
  // An explicit default port is the same address; every other spelling of a host is not.
  if (host !== origin.hostname && host !== `${origin.hostname}:${origin.port}`) throw notRegistered();
  return { origin, path: checkPath(`${pathname || '/'}${query}`, 'url') };
}

/** True when `path` is the prefix itself or lies under it. */
function under(prefix: string, path: string): boolean {
  const [segments = ''] = path.split('?', 1);
  const base = prefix.endsWith('/') ? prefix.slice(0, -1) : prefix;
  return segments === base || segments.startsWith(`${base}/`);
}

/** True when a parsed URL lies under this registered address. */
export function liesUnder(registered: Origin, target: { origin: Origin; path: string }): boolean {
  return (
    registered.protocol === target.origin.protocol &&
    registered.hostname === target.origin.hostname &&
    registered.port === target.origin.port &&
    under(registered.path, target.path)
  );
}

function bad(message: string): SlipwayError {
  return invalid('url', message, 'BAD_URL');
}

/** The same answer whatever there is behind the address: it must tell nothing about the network. */
export function notRegistered(): SlipwayError {
  return new SlipwayError(
    'TARGET_NOT_ALLOWED',
    "That address is not one of this service's. Use one of status.service.urls, or port and path.",
    { field: 'url', reason: 'NOT_REGISTERED' },
  );
}
