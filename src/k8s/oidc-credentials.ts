import { decodeJwt } from 'jose';
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import { noCredentials } from './api-error.ts';
import { readAuthProvider, writeAuthProvider } from './kubeconfig-file.ts';
import { type OidcClient, type OidcTokens, SignInOver, refreshTokens } from './oidc-refresh.ts';
import type { Credentials } from './transport.ts';

export interface OidcOptions {
  client: OidcClient;
  tokens: OidcTokens;
  /** The kubeconfig that has the user. */
  file: string;
  clock: Clock;
  log: Log | undefined;
}

/** A token that is about to expire is not used any more. */
const marginMs = 10_000;
/** A new token is used for so long at least, whatever our clock makes of it. */
const leastMs = 10_000;
/** The server's refusal of a token younger than this is not its age's fault: another one would not help. */
const youngMs = 60_000;
/** What the identity provider did not give is not asked for again at once. */
const pauseMs = 2_000;
/** How long another program may hold the file. */
const saveAgainMs = 10_000;

/** Until when an ID token may be used, in ms; 0: it is none. */
export function expiryOf(idToken: string | undefined): number {
  try {
    return idToken === undefined ? 0 : (decodeJwt(idToken).exp ?? 0) * 1000 - marginMs;
  } catch {
    return 0;
  }
}

/**
 * The ID token of a kubeconfig's user, renewed by its refresh token when it expires or the server refuses it. The file is
 * shared with kubectl: what another program has put there is used, and what we get is written back.
 */
export function oidcCredentials({ client, tokens: first, file, clock, log }: OidcOptions): Credentials {
  let tokens = first;
  let until = expiryOf(first.idToken);
  let since = Number.NEGATIVE_INFINITY;
  /** The refresh token in the file, as far as we know. */
  let filed = first.refreshToken;
  let refused: string | undefined;
  let failure: { error: unknown; until: number } | null = null;
  let renewing: Promise<void> | null = null;
  /** The newest tokens are not in the file, and were tried to be written at that time. */
  let unsaved: { triedAt: number } | null = null;

  function take(next: OidcTokens): void {
    since = clock.now();
    until = Math.max(expiryOf(next.idToken), since + leastMs);
    tokens = next;
  }

  /** Takes over what another program has put into the file; true: there is a token to use now. */
  async function look(): Promise<boolean> {
    const held = tokensOf((await readAuthProvider(file, client.user)) ?? {});
    // Our own is newer where it could not be written.
    if (held.refreshToken !== undefined && held.refreshToken !== filed) {
      filed = held.refreshToken;
      tokens = { ...tokens, refreshToken: held.refreshToken };
      unsaved = null;
    }
    if (held.idToken === tokens.idToken || held.idToken === refused || expiryOf(held.idToken) <= clock.now())
      return false;
    take({ idToken: held.idToken, refreshToken: tokens.refreshToken });
    return true;
  }

  async function renew(): Promise<void> {
    if (failure && clock.now() < failure.until) throw failure.error;
    try {
      if (await look()) return;
      const used = tokens.refreshToken;
      try {
        await refresh(used);
      } catch (error) {
        // Another program was faster, and the refresh token is good for one time only.
        if (!(error instanceof SignInOver)) throw error;
        if (await look()) return;
        if (tokens.refreshToken === used) throw error;
        await refresh(tokens.refreshToken);
      }
    } catch (error) {
      failure = { error, until: clock.now() + pauseMs };
      throw error;
    }
  }

  async function refresh(refreshToken: string | undefined): Promise<void> {
    if (refreshToken === undefined) {
      const message = `the id-token of the user "${client.user}" has expired and there is no refresh-token: sign in again`;
      throw noCredentials(message);
    }
    const next = await refreshTokens(client, refreshToken);
    take({ idToken: next.idToken, refreshToken: next.refreshToken ?? refreshToken });
    await save(tokens, true);
  }

  async function save({ idToken = '', refreshToken = '' }: OidcTokens, first: boolean): Promise<void> {
    const own = { triedAt: clock.now() };
    unsaved = own;
    let again = false;
    try {
      await writeAuthProvider(file, client.user, { 'id-token': idToken, 'refresh-token': refreshToken });
      filed = refreshToken;
    } catch (error) {
      const { code } = error as { code?: unknown };
      again = code === 'EEXIST';
      if (first) log?.warn({ user: client.user, file, code, again }, unwritten);
    }
    if (unsaved === own && !again) unsaved = null;
  }

  return {
    async authorization() {
      if (clock.now() >= until) {
        renewing ??= renew().finally(() => {
          renewing = null;
        });
        await renewing;
      } else if (unsaved && clock.now() >= unsaved.triedAt + saveAgainMs) await save(tokens, false);
      return `Bearer ${tokens.idToken}`;
    },
    refused(authorization) {
      if (authorization !== `Bearer ${tokens.idToken}` || clock.now() < since + youngMs) return;
      refused = tokens.idToken;
      until = 0;
    },
  };
}

const unwritten = 'the renewed sign-in of a kubeconfig user is not in the file: it is kept in memory';

/** What there is of them in the configuration of an auth-provider. */
export function tokensOf(config: Record<string, unknown>): OidcTokens {
  const text = (name: string) => (typeof config[name] === 'string' && config[name] !== '' ? config[name] : undefined);
  return { idToken: text('id-token'), refreshToken: text('refresh-token') };
}
