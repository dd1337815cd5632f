import type { Log } from '../../../log.ts';
import { ApiError } from '../../api-error.ts';
import type { EmbeddedApi } from '../api/service.ts';
import type { StatusUpdate } from './status.ts';

/** Writes statuses one after the other; a newer set takes the place of what was not written yet. */
export interface StatusWriter {
  write(updates: readonly StatusUpdate[]): void;
  /** Drops what was not written yet; resolves when nothing is under way. */
  stop(): Promise<void>;
}

export function createStatusWriter(api: EmbeddedApi, log: Log): StatusWriter {
  let pending: readonly StatusUpdate[] = [];
  let running: Promise<void> | null = null;

  const drain = async () => {
    for (let next = pending[0]; next; next = pending[0]) {
      pending = pending.slice(1);
      await writeOne(api, next).catch((error: unknown) => {
        // Somebody else changed or removed it: their change brings the next evaluation.
        if (error instanceof ApiError && (error.status === 409 || error.status === 404)) return;
        log.warn({ err: error, kind: next.object.kind, name: next.object.metadata.name }, 'a status was not written');
      });
    }
  };
  const run = () => {
    running = drain().finally(() => {
      running = null;
      // Written after the last look.
      if (pending.length > 0) run();
    });
  };
  return {
    write(updates) {
      pending = updates;
      if (!running && pending.length > 0) run();
    },
    async stop() {
      pending = [];
      await running;
    },
  };
}

async function writeOne(api: EmbeddedApi, { resource, object, status }: StatusUpdate): Promise<void> {
  const { name, namespace, resourceVersion } = object.metadata;
  const patch = { metadata: { resourceVersion }, status };
  await api.client.patch(resource, name, namespace, patch, { subresource: 'status', fieldManager: 'slipway-gateway' });
}
