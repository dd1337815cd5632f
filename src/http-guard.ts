import type { IncomingMessage } from 'node:http';

/** Why a request was turned away. */
export interface Refusal {
  status: 400 | 403 | 415 | 421;
  message: string;
}

export interface HttpGuardOptions {
  /** True for host names (lower case, no port, no brackets) this listener answers to besides localhost and its own address. */
  allowsHost?: (host: string) => boolean;
  /** Media types accepted with a body; absent: any. */
  bodyTypes?: readonly string[];
}

const loopbackHost = /^(localhost|127(\.\d{1,3}){3}|::1)$/;

/** The host name in a Host header or Origin: lower case, without port and brackets; null when malformed. */
export function hostName(authority: string): string | null {
  const match = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::\d{1,5})?$/.exec(authority.toLowerCase());
  return match ? (match[1] ?? match[2] ?? null) : null;
}

/**
 * Keeps strangers out of a listener without sign-in. A web page of another origin is told by its Origin header (also
 * on a WebSocket upgrade, where no preflight protects us) and by body types a form can send; a rebound host name (DNS
 * rebinding) by a Host that is neither localhost nor an address of ours.
 */
export function createHttpGuard(options: HttpGuardOptions = {}): (request: IncomingMessage) => Refusal | null {
  const allowsHost = (host: string | null) =>
    host !== null && (loopbackHost.test(host) || (options.allowsHost?.(host) ?? false));
  return (request) => {
    const host = request.headers.host;
    if (host === undefined || !allowsHost(hostName(host))) {
      return { status: 421, message: 'This server does not answer to that host name.' };
    }
    const origin = request.headers.origin;
    if (origin !== undefined && origin !== `http://${host}`) {
      return { status: 403, message: 'Requests from other origins are refused.' };
    }
    if (request.headers['sec-fetch-site'] === 'cross-site') {
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
