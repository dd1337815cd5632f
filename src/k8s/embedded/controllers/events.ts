import { createHash } from 'node:crypto';
import type { Clock } from '../../../clock.ts';
import { events, type KubeEvent, type KubeObject } from '../../resources.ts';
import type { EmbeddedApi } from '../api/service.ts';
import { rfc3339 } from './pod-state.ts';
import { createWorkQueue } from './work-queue.ts';

/** Writes core/v1 Events: the same words about the same object again count up. */
export interface EventRecorder {
  record(about: KubeObject, type: 'Normal' | 'Warning', reason: string, message: string, fieldPath?: string): void;
  stop(): Promise<void>;
}

const maxEventsPerObject = 25;

interface Pending {
  about: KubeObject;
  component: string;
  type: string;
  reason: string;
  message: string;
  fieldPath: string | undefined;
  count: number;
  first: number;
  last: number;
}

function lastSeen(event: KubeEvent): number {
  return Date.parse(event.lastTimestamp ?? event.eventTime ?? event.metadata.creationTimestamp ?? '') || 0;
}

/** A name that the same event has every time, so it is found again after a restart. */
function eventName(pending: Pending): string {
  const { about, type, reason, message, component, fieldPath } = pending;
  const words = JSON.stringify([about.kind, about.metadata.uid, type, reason, message, component, fieldPath]);
  return `${about.metadata.name}.${createHash('sha256').update(words).digest('hex').slice(0, 16)}`;
}

function newEvent(name: string, namespace: string, pending: Pending): KubeEvent {
  const { about, component, type, reason, message, fieldPath, count, first, last } = pending;
  const { metadata } = about;
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name, namespace },
    involvedObject: {
      apiVersion: about.apiVersion,
      kind: about.kind,
      ...(metadata.namespace !== undefined && { namespace: metadata.namespace }),
      name: metadata.name,
      ...(metadata.uid !== undefined && { uid: metadata.uid }),
      ...(fieldPath !== undefined && { fieldPath }),
    },
    type,
    reason,
    message,
    count,
    firstTimestamp: rfc3339(first),
    lastTimestamp: rfc3339(last),
    source: { component },
    reportingComponent: component,
    reportingInstance: '',
  };
}

/** A recorder for one component, such as `kubelet`. */
export function createEventRecorder(
  { api, clock, failed }: { api: EmbeddedApi; clock: Clock; failed: (key: string, error: unknown) => void },
  component: string,
): EventRecorder {
  const pending = new Map<string, Pending>();

  async function write(key: string): Promise<void> {
    const entry = pending.get(key);
    if (!entry) return;
    const [namespace = '', name = ''] = key.split('/');
    const present = api.get(events, namespace, name);
    pending.delete(key);
    if (present) {
      const count = (present.count ?? 1) + entry.count;
      await api.client.patch(events, name, namespace, { count, lastTimestamp: rfc3339(entry.last) });
      return;
    }
    await trim(entry.about, namespace);
    await api.client.create(events, newEvent(name, namespace, entry), { fieldManager: component });
  }

  async function trim(about: KubeObject, namespace: string): Promise<void> {
    const own = api.list(events, namespace).filter((event) => event.involvedObject.uid === about.metadata.uid);
    const surplus = own.toSorted((a, b) => lastSeen(a) - lastSeen(b)).slice(0, own.length - maxEventsPerObject + 1);
    if (own.length < maxEventsPerObject) return;
    for (const event of surplus) await removeEvent(api, event);
  }

  const queue = createWorkQueue({
    clock,
    work: write,
    failed: (key, error) => {
      pending.delete(key);
      failed(key, error);
    },
  });

  return {
    record(about, type, reason, message, fieldPath) {
      const now = clock.now();
      const entry: Pending = { about, component, type, reason, message, fieldPath, count: 1, first: now, last: now };
      const key = `${about.metadata.namespace ?? 'default'}/${eventName(entry)}`;
      const waiting = pending.get(key);
      if (waiting) {
        waiting.count += 1;
        waiting.last = now;
      } else {
        pending.set(key, entry);
      }
      queue.add(key);
    },
    stop: () => queue.stop(),
  };
}

async function removeEvent(api: EmbeddedApi, event: KubeEvent): Promise<void> {
  try {
    await api.client.delete(events, event.metadata.name, event.metadata.namespace);
  } catch {
    // Somebody else removed it: that is what was wanted.
  }
}
