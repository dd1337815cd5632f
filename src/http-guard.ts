import type { IncomingMessage } from 'node:http';

/** Why a request was turned away. */
export interface Refusal {
  status: 400 | 403 | 415 | 421;
  message: string;
}

export interface HttpGuardOptions {
  /** True for host names (lower case, no port, no brackets) this listener answers to besides localhost and its own address. */
  allowsHost?: (host: string) => boolean;
  /** Origins other than the server's own whose pages may call, such as `https://console.example.com`. Exact. */
  origins?: ReadonlySet<string>;
  /** Media types accepted with a body; absent: any. */
  bodyTypes?: readonly string[];
}

const loopbackHost = /^(localhost|127(\.\d{1,3}){3}|::1)$/;

/** Whether a host name (lower case, no port, no brackets) is this machine's own. */
export function isLoopback(host: string): boolean {
  return loopbackHost.test(host);
}

/** The host name in a Host header or Origin: lower case, without port and brackets; null when malformed. */
export function hostName(authority: string): string | null {
  const match = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::\d{1,5})?$/.exec(authority.toLowerCase());
  return match ? (match[1] ?? match[2] ?? null) : null;
}

/**
 * Keeps strangers out. A web page of another origin is told by its Origin header (also on a WebSocket upgrade, where no
 * preflight protects us) and by body types a form can send; a rebound host name (DNS rebinding) by a Host that is neither
 * localhost nor one of ours.
 */
export function createHttpGuard(options: HttpGuardOptions = {}): (request: IncomingMessage) => Refusal | null {
  const { allowsHost = () => false, origins = new Set() } = options;
  return (request) => {
    const host = request.headers.host;
    const name = host === undefined ? null : hostName(host);
    if (name === null || !(isLoopback(name) || allowsHost(name))) {
      return { status: 421, message: 'This server does not answer to that host name.' };
    }
    const { origin } = request.headers;
    // In front of a name that is not this machine's own, TLS may end: the page is https, what reaches us is not.
    const own = origin === `http://${host}` || (!isLoopback(name) && origin === `https://${host}`);
    const invited = origin !== undefined && origins.has(origin);
    if (origin !== undefined && !own && !invited) {
      return { status: 403, message: 'Requests from other origins are refused.' };
    }
    if (request.headers['sec-fetch-site'] === 'cross-site' && !invited) {
      return { status: 403, message: 'Requests from other sites are refused.' };
    }
    return bodyRefusal(request, options.bodyTypes);
  };
}

function bodyRefusal(request: IncomingMessage, bodyTypes: readonly string[] | undefined): Refusal | null {
  const hasBody =
    request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0;
  if (!bodyTypes || !hasBody) return null;
  const [type = '', ...parameters] = (request.headers['content-type'] ?? '')
    .split(';')
    .map((part) => part.trim().toLowerCase());
  const charset = parameters.find((parameter) => parameter.startsWith('charset='))?.slice('charset='.length);
  if (bodyTypes.includes(type) && (charset === undefined || /^"?utf-8"?$/.test(charset))) return null;
  return { status: 415, message: `Send ${bodyTypes[0]}, not ${type || 'a body without a content type'}.` };
}
