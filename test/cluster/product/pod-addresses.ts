import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Addresses of Pods whose programs run in this process. */
export interface PodAddresses {
  /** One that nobody else has. */
  next(): string;
  stop(): Promise<void>;
}

/**
 * Kubernetes takes no loopback addresses for Pods, and Slipway none that an interface of its machine has. So a network is
 * routed to loopback: every address of it is this machine's, and none is any interface's.
 */
export async function createPodAddresses(): Promise<PodAddresses> {
  const prefix = `10.245.${process.pid % 256}`;
  const route = async (what: 'replace' | 'del') => {
    try {
      await run('ip', ['route', what, 'local', `${prefix}.0/24`, 'dev', 'lo']);
    } catch (error) {
      throw new Error('Addresses of Pods need root and the program ip (Debian package iproute2)', { cause: error });
    }
  };
  await route('replace');
  let last = 0;
  return {
    next() {
      last += 1;
      if (last > 254) throw new Error('no address is left for a Pod');
      return `${prefix}.${last}`;
    },
    stop: () => route('del'),
  };
}
