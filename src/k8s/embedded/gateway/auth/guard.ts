import type { HeaderLines } from '../headers.ts';
import type { Target } from '../paths.ts';

/** The part of a request that credentials are read from and may be taken out of. */
export interface Credentials {
  target: Target;
  headers: HeaderLines;
  /** The address as the client wrote it, for the realm of a challenge. */
  uri: string;
}

/** What a client gets instead of the service. */
export interface Refusal {
  status: number;
  message: string;
  headers?: HeaderLines;
}

/** Lets a request through, as it is or changed, or refuses it. */
export type Verdict = { request: Credentials } | { refusal: Refusal };
export type Guard = (request: Credentials) => Verdict | Promise<Verdict>;

/** A 401 with its challenge: `WWW-Authenticate: <scheme> realm="…"`. */
export function unauthorized(scheme: string, uri: string, message: string, parameters = ''): Refusal {
  const realm = uri.replaceAll('\\', '%5C').replaceAll('"', '%22').slice(0, 256);
  return {
    status: 401,
    message,
    headers: [['WWW-Authenticate', `${scheme} realm="${realm}"${parameters}`]],
  };
}

/** Stands for a policy that can't be enforced: everything it covers is refused, never let through. */
export function brokenGuard(): Verdict {
  return { refusal: { status: 500, message: "The route's security policy is invalid, so its requests are refused." } };
}

/** Passes a request through several guards; the first refusal ends it. */
export function allGuards(guards: readonly Guard[]): Guard {
  return async (request) => {
    let current = request;
    for (const guard of guards) {
      const verdict = await guard(current);
      if ('refusal' in verdict) return verdict;
      current = verdict.request;
    }
    return { request: current };
  };
}
