import { createLocalJWKSet, createRemoteJWKSet, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';
import type { JwtProvider } from '../../../resources.ts';
import { parseDuration } from '../../../durations.ts';

/** Remote key sets, kept over changes of the routing table so that their caches are. */
export interface KeySets {
  remote(jwks: NonNullable<JwtProvider['remoteJWKS']>): JWTVerifyGetKey;
  local(text: string): JWTVerifyGetKey;
  /** Forgets the remote sets that were not asked for since the last call. */
  prune(): void;
}

const defaultCacheMs = 300_000;
const fetchTimeoutMs = 5_000;

export function createKeySets(): KeySets {
  const sets = new Map<string, JWTVerifyGetKey>();
  let used = new Set<string>();
  return {
    remote({ uri, cacheDuration }) {
      const key = `${cacheDuration ?? ''} ${uri}`;
      const set = sets.get(key) ?? createRemoteJWKSet(new URL(uri), remoteOptions(cacheDuration));
      sets.set(key, set);
      used.add(key);
      return set;
    },
    local: (text) => createLocalJWKSet(parseKeySet(text)),
    prune() {
      for (const key of sets.keys()) if (!used.has(key)) sets.delete(key);
      used = new Set();
    },
  };
}

function remoteOptions(cacheDuration: string | undefined) {
  const cacheMaxAge = cacheDuration === undefined ? defaultCacheMs : parseDuration(cacheDuration);
  if (cacheMaxAge === null) throw new Error(`invalid cacheDuration: ${cacheDuration}`);
  return { cacheMaxAge, timeoutDuration: fetchTimeoutMs };
}

/** Garbage here would freeze a real Envoy's listener, so it is refused instead. */
function parseKeySet(text: string): JSONWebKeySet {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error('the local JWKS is not JSON');
  }
  const keys = (value as { keys?: unknown } | null)?.keys;
  if (!Array.isArray(keys) || keys.length === 0) throw new Error('the local JWKS has no keys');
  for (const key of keys as unknown[]) {
    const { kty, d } = (key ?? {}) as { kty?: unknown; d?: unknown };
    if (typeof kty !== 'string' || kty === 'oct') throw new Error('the local JWKS must hold public keys only');
    if (d !== undefined) throw new Error('the local JWKS holds a private key');
  }
  return { keys: keys as JSONWebKeySet['keys'] };
}
