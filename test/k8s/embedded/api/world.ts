import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, systemClock } from '../../../../src/clock.ts';
import { startApi } from '../../../../src/k8s/embedded/api/index.ts';
import type { EmbeddedApi } from '../../../../src/k8s/embedded/api/service.ts';
import { createLog } from '../../../../src/log.ts';
import { Api } from '../../../cluster/conformance/api.ts';

export const log = createLog(process.env['SLIPWAY_TEST_LOG'] ?? 'silent');

/** An embedded API on a data folder of its own, and requests to it. */
export interface World extends AsyncDisposable {
  [Symbol.asyncDispose](): Promise<void>;
  readonly server: EmbeddedApi;
  readonly api: Api;
  /** Ends it and starts it again on the same data. */
  restart(): Promise<void>;
}

export async function createWorld(clock: Clock = systemClock): Promise<World> {
  const dataDir = await mkdtemp(join(tmpdir(), 'slipway-api-'));
  const start = () => startApi({ dataDir, port: 0, clock, log });
  let server = await start();
  let api = new Api({ url: server.url });
  const stop = async () => {
    await api.close();
    await server.stop();
  };
  return {
    get server() {
      return server;
    },
    get api() {
      return api;
    },
    async restart() {
      await stop();
      server = await start();
      api = new Api({ url: server.url });
    },
    async [Symbol.asyncDispose]() {
      await stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
