import { BlockList, isIP, isIPv6 } from 'node:net';
import { domainToASCII } from 'node:url';
import { BootError } from '../boot-error.ts';

/** A proxy on the way to a server. Only `url` and `from` may be shown. */
export interface Proxy {
  /** Scheme, host and port, without credentials. */
  readonly url: string;
  readonly protocol: 'http:' | 'https:' | 'socks5:';
  readonly hostname: string;
  readonly port: number;
  readonly credentials: { readonly username: string; readonly password: string } | undefined;
  /** What names it, such as `HTTPS_PROXY`. */
  readonly from: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

const defaultPorts = { 'http:': 80, 'https:': 443, 'socks5:': 1080 } as const;

/** The proxy at a URL; null: it is none, or of a kind that is not supported. */
export function parseProxy(text: string, from: string): Proxy | null {
  if (!URL.canParse(text)) return null;
  const { protocol: scheme, hostname: host, port, username, password } = new URL(text);
  // Names are always looked up by a SOCKS proxy, which is what the h stands for.
  const protocol = scheme === 'socks5h:' ? 'socks5:' : scheme;
  if (!isSupported(protocol) || host === '') return null;
  let credentials: Proxy['credentials'];
  try {
    credentials = username
      ? { username: decodeURIComponent(username), password: decodeURIComponent(password) }
      : undefined;
  } catch {
    return null; // no percent-encoding of UTF-8
  }
  const hostname = host.replace(/^\[(.*)\]$/, '$1');
  const own = { protocol, hostname, port: Number(port) || defaultPorts[protocol] };
  return { ...own, url: `${protocol}//${host}:${own.port}`, credentials, from };
}

function isSupported(protocol: string): protocol is Proxy['protocol'] {
  return Object.hasOwn(defaultPorts, protocol);
}

/** The value of `Proxy-Authorization`, where the proxy's URL has credentials. */
export function proxyAuthorization({ credentials }: Proxy): string | undefined {
  if (!credentials) return undefined;
  return `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64')}`;
}

/**
 * Whether requests are sent to the proxy itself, with the server's whole URL in them. What is encrypted, and what a SOCKS
 * proxy passes, goes through a tunnel instead.
 */
export function isForwarding(proxy: Proxy | undefined, server: string): proxy is Proxy {
  return proxy !== undefined && proxy.protocol !== 'socks5:' && new URL(server).protocol === 'http:';
}

/** The proxy that the environment names for a server, as Go programs such as kubectl find it. */
export function proxyFromEnvironment(server: string, environment: Environment): Proxy | undefined {
  const url = new URL(server);
  const names = url.protocol === 'https:' ? ['HTTPS_PROXY', 'https_proxy'] : ['HTTP_PROXY', 'http_proxy'];
  const name = names.find((candidate) => environment[candidate]);
  const value = name === undefined ? undefined : environment[name];
  if (name === undefined || !value) return undefined;
  if (isExempt(url, environment['NO_PROXY'] || environment['no_proxy'] || '')) return undefined;
  const proxy = parseProxy(/^[a-z][a-z0-9+.-]*:\/\//i.test(value) ? value : `http://${value}`, name);
  if (proxy) return proxy;
  throw new BootError([
    {
      module: 'server',
      field: name,
      message: 'names no proxy that can be used.',
      remedy: `Give an http, https or socks5 URL, or name ${url.hostname} in NO_PROXY.`,
    },
  ]);
}

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8);
loopback.addAddress('::1', 'ipv6');
const everyIPv4 = new BlockList();
everyIPv4.addSubnet('0.0.0.0', 0);

/** Whether NO_PROXY, or being on this machine, keeps a server from being reached by the environment's proxy. */
function isExempt(url: URL, noProxy: string): boolean {
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const address = isIP(host) === 0 ? null : host;
  if (host === 'localhost' || (address !== null && holds(loopback, address))) return true;
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  return noProxy.split(',').some((entry) => matches(entry.trim().toLowerCase(), { host, address, port }));
}

interface Server {
  host: string;
  /** Null: the host is a name. */
  address: string | null;
  port: string;
}

/** One entry of NO_PROXY: `*`, an address or a range of them, or a domain; with a port for that one only. */
function matches(entry: string, { host, address, port }: Server): boolean {
  if (entry === '*') return true;
  const range = rangeOf(entry);
  if (range) return address !== null && isIPv4(range.network) === isIPv4(address) && holds(range.list, address);
  const [, bracketed, plain, onlyPort] = /^(?:\[([^\]]*)\]|([^:[\]]*)):([^:]*)$/.exec(entry) ?? [];
  const name = bracketed ?? plain ?? entry;
  if (name === '' || (onlyPort && onlyPort !== port)) return false;
  if (isIP(name) !== 0) return address !== null && holds(listOf(name), address);
  return address === null && isWithin(host, name.replace(/^\*\./, '.'));
}

/** `.example.org` has the names below it, `example.org` itself too. */
function isWithin(host: string, domain: string): boolean {
  const ascii = /[^\0-\x7f]/.test(domain) ? domainToASCII(domain) || domain : domain;
  return ascii.startsWith('.') ? host.endsWith(ascii) : host === ascii || host.endsWith(`.${ascii}`);
}

function rangeOf(entry: string): { network: string; list: BlockList } | null {
  const [, network = '', prefix] = /^(.+)\/(\d{1,3})$/.exec(entry) ?? [];
  const longest = isIPv6(network) ? 128 : 32;
  if (isIP(network) === 0 || Number(prefix) > longest) return null;
  const list = new BlockList();
  list.addSubnet(network, Number(prefix), familyOf(network));
  return { network, list };
}

function listOf(address: string): BlockList {
  const list = new BlockList();
  list.addAddress(address, familyOf(address));
  return list;
}

/** Also one that is written as IPv6 (`::ffff:10.0.0.1`). */
const isIPv4 = (address: string) => holds(everyIPv4, address);

const holds = (list: BlockList, address: string) => list.check(address, familyOf(address));

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIPv6(address) ? 'ipv6' : 'ipv4';
}
