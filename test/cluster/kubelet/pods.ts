import { isDeepStrictEqual } from 'node:util';
import { type Pod, pods, resourcePath } from '../../../src/k8s/resources.ts';
import type { Api } from '../conformance/api.ts';
import type { LogLine, LogSource } from './log-server.ts';
import { annotations, statusFor } from './pod-status.ts';

export interface Pods {
  /** Brings a Pod to what it asks for; forgets it when it is gone. */
  readonly sync: (type: 'ADDED' | 'DELETED', pod: Pod) => Promise<void>;
  readonly logs: LogSource;
}

interface Known {
  address: string;
  lines: LogLine[];
  /** Of the run before the last restart. */
  previous: LogLine[];
  listeners: Set<(line: LogLine | undefined) => void>;
}

/** The Pods of one node. */
export function createPods(api: Api, index: number): Pods {
  const known = new Map<string, Known>();
  const addresses = createAddresses(index);
  const keyOf = (namespace: string | undefined, name: string) => `${namespace ?? ''}/${name}`;

  const adopt = (pod: Pod): Known => {
    const key = keyOf(pod.metadata.namespace, pod.metadata.name);
    const present = known.get(key);
    if (present) return present;
    const address = pod.metadata.annotations?.[annotations.podIp] ?? addresses.take(pod.status?.podIP);
    const made: Known = { address, lines: [], previous: [], listeners: new Set() };
    known.set(key, made);
    return made;
  };

  const forget = ({ metadata }: Pod) => {
    const key = keyOf(metadata.namespace, metadata.name);
    const present = known.get(key);
    known.delete(key);
    if (!present) return;
    addresses.giveBack(present.address);
    for (const listener of present.listeners) listener(undefined);
  };

  return {
    async sync(type, pod) {
      if (type === 'DELETED') return forget(pod);
      if (pod.metadata.deletionTimestamp !== undefined) return end(api, pod);
      const entry = adopt(pod);
      addLines(entry, pod.metadata.annotations?.[annotations.logs] ?? `${pod.metadata.name} started`);
      entry.previous = (pod.metadata.annotations?.[annotations.previousLogs]?.split('\n') ?? []).map(lineOf);
      await writeStatus(api, pod, entry.address);
    },
    logs: {
      lines(namespace, name, previous) {
        const entry = known.get(keyOf(namespace, name));
        return previous ? entry?.previous : entry?.lines;
      },
      follow(namespace, name, listener) {
        const listeners = known.get(keyOf(namespace, name))?.listeners;
        listeners?.add(listener);
        return () => void listeners?.delete(listener);
      },
    },
  };
}

/** Addresses of one node: never the same for two Pods that live at the same time. */
function createAddresses(index: number) {
  const taken = new Set<string>();
  let next = 1;
  return {
    take(present: string | undefined): string {
      let address = present ?? '';
      while (address === '' || (taken.has(address) && address !== present)) {
        next = next >= 4094 ? 2 : next + 1;
        address = `10.244.${index * 16 + (next >> 8)}.${next & 255}`;
      }
      taken.add(address);
      return address;
    },
    giveBack: (address: string) => void taken.delete(address),
  };
}

const lineOf = (text: string): LogLine => ({ time: new Date().toISOString(), text });

/** The annotation holds the whole log: what is new in it is appended. */
function addLines(entry: Known, text: string): void {
  for (const line of text.split('\n').slice(entry.lines.length)) {
    const added = lineOf(line);
    entry.lines.push(added);
    for (const listener of entry.listeners) listener(added);
  }
}

async function writeStatus(api: Api, pod: Pod, address: string): Promise<void> {
  const { namespace, name, uid } = pod.metadata;
  const status = statusFor(pod, address, new Date().toISOString().replace(/\.\d+Z$/, 'Z'));
  if (!status || isCovered(pod.status, status)) return;
  // The uid keeps this from another Pod of the same name that came meanwhile.
  await api.strategicPatch(resourcePath(pods, namespace, name, 'status'), { metadata: { uid }, status });
}

/** Whether all that is wanted is there already; our own writes come back as events. */
function isCovered(present: unknown, wanted: unknown): boolean {
  if (typeof wanted !== 'object' || wanted === null || Array.isArray(wanted) !== Array.isArray(present)) {
    return isDeepStrictEqual(present, wanted);
  }
  if (typeof present !== 'object' || present === null) return false;
  const found = present as Record<string, unknown>;
  return Object.entries(wanted).every(([key, value]) => isCovered(found[key], value));
}

async function end(api: Api, { metadata }: Pod): Promise<void> {
  const { namespace, name, uid } = metadata;
  await api.delete(resourcePath(pods, namespace, name), { gracePeriodSeconds: 0, preconditions: { uid } });
}
