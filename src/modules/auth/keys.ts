import { type JSONWebKeySet, type JWTVerifyGetKey, createLocalJWKSet, errors } from 'jose';
import type { Clock } from '../../clock.ts';
import { SlipwayError } from '../../errors.ts';
import { createBackoff } from '../../k8s/backoff.ts';
import type { Log } from '../../log.ts';

/** How old keys may get: a withdrawn one is refused after this, also when the provider can't be asked. */
const longestAgeMs = 600_000;
/** Asked this often, the provider may be away for nine minutes at any time and nobody notices. */
const refreshMs = 60_000;
/** Tokens with unknown key ids, which anybody can make up, cost the provider no more than one look-up in this time. */
const cooldownMs = 30_000;

export interface KeysOptions {
  fetchKeys: () => Promise<JSONWebKeySet>;
  clock: Clock;
  log: Log;
  /** In [0, 1). */
  random: () => number;
}

/** The issuer's keys, kept up to date in the background. */
export interface Keys {
  /** Finds the key of a token; rejects with UNAVAILABLE while there are none. */
  readonly find: JWTVerifyGetKey;
  /** A sentence saying why nobody can be signed in; null while somebody can. */
  readonly problem: string | null;
  stop(): void;
}

/** Begins to fetch at once; a provider that is away is asked again until it answers. */
export function createKeys({ fetchKeys, clock, log, random }: KeysOptions): Keys {
  const backoff = createBackoff(random, 0);
  let held: { find: JWTVerifyGetKey; at: number } | null = null;
  let failure = "The identity provider's keys have not been fetched yet.";
  let fetching: Promise<void> | null = null;
  let askedAt = 0;
  let cancel = () => {};
  let stopped = false;

  const fresh = () => (held && clock.now() - held.at < longestAgeMs ? held : null);

  async function fetchOnce(): Promise<void> {
    const before = fresh();
    let error: unknown = null;
    try {
      const find = createLocalJWKSet(await fetchKeys());
      held = { find, at: clock.now() };
      backoff.reset();
    } catch (thrown) {
      error = thrown;
      failure = thrown instanceof Error ? thrown.message : String(thrown);
    }
    fetching = null;
    if (stopped) return;
    cancel = clock.after(error === null ? refreshMs : backoff.next(), () => void refresh());
    if (error === null) log.debug("the identity provider's keys were fetched");
    else log.warn({ err: error, serving: before !== null }, "the identity provider's keys were not fetched");
  }

  /** Never rejects; those who want it at the same time share one. */
  function refresh(): Promise<void> {
    if (fetching) return fetching;
    cancel();
    askedAt = clock.now();
    fetching = fetchOnce();
    return fetching;
  }

  function unavailable(): SlipwayError {
    return new SlipwayError('UNAVAILABLE', 'Nobody can be signed in at the moment: try again later.');
  }

  const find: JWTVerifyGetKey = async (header, token) => {
    if (!fresh()) await fetching;
    const present = fresh();
    if (!present) throw unavailable();
    try {
      return await present.find(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      if (!fetching && clock.now() - askedAt < cooldownMs) throw error;
      await refresh();
      return (fresh() ?? present).find(header, token);
    }
  };

  void refresh();
  return {
    find,
    get problem() {
      return fresh() ? null : failure;
    },
    stop() {
      stopped = true;
      cancel();
    },
  };
}
