import type { JsonPatchOperation } from '../../../k8s/cluster.ts';
import type { Secret } from '../../../k8s/resources.ts';
import { htpasswdKey } from '../envoy-gateway.ts';
import {
  anyHashFault,
  formatHtpasswd,
  generateCredential,
  type HtpasswdEntry,
  parseHtpasswd,
  shaEntry,
} from '../htpasswd.ts';
import type { GeneratedCredential, SecretKind } from './service.ts';

const encode = (text: string): string => Buffer.from(text, 'utf8').toString('base64');
const decode = (data: string): string => Buffer.from(data, 'base64').toString('utf8');

/** What a Secret serves for, by the entry that only one of the two kinds has. */
export const kindOf = ({ data }: Secret): SecretKind => (data && htpasswdKey in data ? 'BASIC' : 'API_KEY');

/** Users or clients, sorted. */
export function principalsOf(secret: Secret, kind: SecretKind): string[] {
  const names = kind === 'BASIC' ? entriesOf(secret).map(({ username }) => username) : Object.keys(secret.data ?? {});
  return names.toSorted();
}

function entriesOf({ data }: Secret): HtpasswdEntry[] {
  return parseHtpasswd(decode(data?.[htpasswdKey] ?? ''), anyHashFault).entries;
}

/** The data of a new Secret for these users; those without a password get one. */
export function passwordData(users: readonly { username: string; password: string | null }[]): {
  data: Record<string, string>;
  generated: GeneratedCredential[];
} {
  const known = users.map(({ username, password }) => ({
    principal: username,
    value: password ?? generateCredential(),
    made: password === null,
  }));
  const entries = known.map(({ principal, value }) => shaEntry(principal, value));
  return {
    data: { [htpasswdKey]: encode(formatHtpasswd(entries)) },
    generated: known.filter(({ made }) => made).map(({ principal, value }) => ({ principal, value })),
  };
}

/** The data of a new Secret for these clients. */
export function keyData(clients: readonly string[]): {
  data: Record<string, string>;
  generated: GeneratedCredential[];
} {
  const generated = clients.map((principal) => ({ principal, value: generateCredential() }));
  return {
    data: Object.fromEntries(generated.map(({ principal, value }) => [principal, encode(value)])),
    generated,
  };
}

/** Who gets a new value, who comes and who goes; everybody else keeps theirs. */
export interface Rotation {
  renew: readonly string[];
  add: readonly string[];
  remove: readonly string[];
}

export function rotationPatch(
  secret: Secret,
  kind: SecretKind,
  { renew, add, remove }: Rotation,
): { operations: JsonPatchOperation[]; generated: GeneratedCredential[] } {
  const generated = [...renew, ...add].map((principal) => ({ principal, value: generateCredential() }));
  if (kind === 'API_KEY') {
    const operations: JsonPatchOperation[] = [
      ...remove.map((client) => ({ op: 'remove' as const, path: `/data/${client}` })),
      ...generated.map(({ principal, value }) => ({
        op: 'add' as const,
        path: `/data/${principal}`,
        value: encode(value),
      })),
    ];
    return { operations, generated };
  }
  const renewed = new Map(generated.map(({ principal, value }) => [principal, shaEntry(principal, value)]));
  const kept = entriesOf(secret).filter(({ username }) => !remove.includes(username));
  const entries = [
    ...kept.map((entry) => renewed.get(entry.username) ?? entry),
    ...add.flatMap((username) => renewed.get(username) ?? []),
  ];
  const operations: JsonPatchOperation[] = [
    { op: 'replace', path: `/data/${htpasswdKey}`, value: encode(formatHtpasswd(entries)) },
  ];
  return { operations, generated };
}
