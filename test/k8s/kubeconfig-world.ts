import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { BootError } from '../../src/boot-error.ts';
import { createKubeClient } from '../../src/k8s/client.ts';
import { type Endpoint, type KubeconfigOptions, readKubeconfig } from '../../src/k8s/kubeconfig.ts';
import { pods } from '../../src/k8s/resources.ts';
import { createTransport } from '../../src/k8s/transport.ts';
import { createTestClock } from '../faults/test-clock.ts';
import { type Received, linesOf, ok } from './http-world.ts';

export interface Parts {
  server?: string;
  cluster?: Record<string, unknown>;
  user?: Record<string, unknown>;
  context?: Record<string, unknown>;
}

/** Kubeconfigs in a folder of each test's own, and a clock that stands still. */
export function useKubeconfigs() {
  const clock = createTestClock();
  let folder = '';
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'slipway-kubeconfig-'));
  });
  afterEach(() => rm(folder, { recursive: true }));
  const file = (...path: string[]) => join(folder, ...path);
  return {
    clock,
    file,
    /** A file with the contexts `one` (the current one, with a user) and `two`; gives its path. */
    write: async (name: string, parts: Parts = {}): Promise<string> => {
      const { server = 'https://127.0.0.1:1', cluster, user, context } = parts;
      const config = {
        'current-context': 'one',
        contexts: [
          { name: 'one', context: { cluster: 'c', user: 'u', ...context } },
          { name: 'two', context: { cluster: 'c' } },
        ],
        clusters: [{ name: 'c', cluster: { server, ...cluster } }],
        users: [{ name: 'u', user: user ?? {} }],
      };
      await writeFile(file(name), JSON.stringify(config));
      return file(name);
    },
    read: (paths: string, options: Partial<KubeconfigOptions> = {}) => readKubeconfig({ paths, clock, ...options }),
  };
}

export const list = ok({ kind: 'PodList', metadata: { resourceVersion: '1' }, items: [] });
export const base64 = (text: string) => Buffer.from(text).toString('base64');

/** Asks as the endpoint says, over a new connection. */
export async function ask(endpoint: Endpoint): Promise<void> {
  const transport = createTransport(endpoint);
  try {
    await createKubeClient(transport).list(pods);
  } finally {
    await transport.close();
  }
}

/** The credentials of all requests. */
export const sent = ({ received }: { received: readonly Received[] }) =>
  received.flatMap((request) => linesOf(request, 'authorization'));

/** The message and the remedy of a refused start. */
export function refusal(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    if (!(error instanceof BootError)) throw error;
    return error.problems.map(({ message, remedy }) => `${message} ${remedy}`).join(' ');
  }
  throw new Error('it was not refused');
}
