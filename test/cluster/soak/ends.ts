import type { Resource } from '../../../src/k8s/resources.ts';

/** What etcd itself knows: at which version each object ended, and how to forget all before a version. */
export interface Store {
  /** Versions, in order, at which what had the name ended: by `deployments/object-1`. */
  readonly ends: ReadonlyMap<string, readonly number[]>;
  /** Resolves when so many ends are known. */
  known(count: number): Promise<void>;
  /** Forgets the history up to now, as the API server has it done every five minutes. */
  compact(): Promise<void>;
  stop(): void;
}

const base64 = (text: string) => Buffer.from(text).toString('base64');
/** The key after all that begin with this one. */
const after = (text: string) => `${text.slice(0, -1)}${String.fromCharCode(text.charCodeAt(text.length - 1) + 1)}`;

interface Told {
  result?: { events?: { type?: string; kv: { key: string; mod_revision: string } }[] };
}

/** Reads etcd's own watch, which no restart of the API server breaks. */
export async function watchEnds(etcdUrl: string, resources: readonly Resource[], namespace: string): Promise<Store> {
  const ends = new Map<string, number[]>();
  const stopped = new AbortController();
  const waiting = new Set<{ count: number; resolve: () => void }>();
  let total = 0;

  const ended = (key: string, version: number): void => {
    const [name = '', , plural = ''] = key.split('/').toReversed();
    if (!resources.some((resource) => resource.plural === plural)) return;
    const id = `${plural}/${name}`;
    ends.set(id, [...(ends.get(id) ?? []), version]);
    total += 1;
    for (const one of waiting) {
      if (total < one.count) continue;
      waiting.delete(one);
      one.resolve();
    }
  };

  async function read(body: AsyncIterable<Uint8Array>): Promise<void> {
    let rest = '';
    const decoder = new TextDecoder();
    for await (const chunk of body) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        for (const { kv } of (JSON.parse(line) as Told).result?.events ?? []) {
          const key = Buffer.from(kv.key, 'base64').toString();
          if (key.includes(`/${namespace}/`)) ended(key, Number(kv.mod_revision));
        }
      }
    }
  }

  const call = async <T>(path: string, body: object): Promise<T> => {
    const response = await fetch(`${etcdUrl}${path}`, { method: 'POST', body: JSON.stringify(body) });
    if (!response.ok) throw new Error(`etcd: ${response.status} ${await response.text()}`);
    return (await response.json()) as T;
  };

  const range = { key: base64('/registry/'), range_end: base64(after('/registry/')) };
  const response = await fetch(`${etcdUrl}/v3/watch`, {
    method: 'POST',
    body: JSON.stringify({ create_request: { ...range, filters: ['NOPUT'] } }),
    signal: stopped.signal,
  });
  if (!response.body) throw new Error('etcd does not watch');
  const reading = read(response.body).catch((error: unknown) => {
    if (!stopped.signal.aborted) throw error;
  });
  void reading;

  return {
    ends,
    known: (count) => (total >= count ? Promise.resolve() : new Promise((resolve) => waiting.add({ count, resolve }))),
    async compact() {
      const { header } = await call<{ header: { revision: string } }>('/v3/kv/range', {
        key: base64('/registry/none'),
      });
      await call('/v3/kv/compaction', { revision: header.revision });
    },
    stop: () => stopped.abort(),
  };
}
