import { randomInt } from 'node:crypto';
import { probeListen } from './ports.ts';

/** The one fixed range inside 127.0.0.0/8 from which the embedded cluster takes its addresses. */
export const embeddedRange = '127.64.0.0/10';

/** Hands out the addresses of Pods and Services. */
export interface AddressPool {
  /** True for addresses of the embedded range (or, without aliases, 127.0.0.1). */
  owns(address: string): boolean;
  /** Whether the system lets us listen on any 127.x.y.z; if not, everything is 127.0.0.1 with free ports. */
  readonly aliases: boolean;
  /** An address that no present Pod or Service has. */
  allocate(): string;
  /** Marks an address as taken (read back from the store after a restart). */
  reserve(address: string): void;
  release(address: string): void;
}

const loopback = '127.0.0.1';

/** True for a plain dotted address inside `embeddedRange`. */
export function inEmbeddedRange(address: string): boolean {
  const match = /^127\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(address);
  if (!match) return false;
  const [second, third, fourth] = match.slice(1).map(Number);
  if (match.slice(1).some((part) => part.length > 1 && part.startsWith('0'))) return false;
  return second !== undefined && second >= 64 && second <= 127 && (third ?? 256) <= 255 && (fourth ?? 256) <= 255;
}

function randomAddress(): string {
  return `127.${randomInt(64, 128)}.${randomInt(0, 256)}.${randomInt(1, 255)}`;
}

async function hasAliases(): Promise<boolean> {
  try {
    await probeListen(randomAddress(), 0);
    return true;
  } catch {
    // EADDRNOTAVAIL: macOS has 127.0.0.1 only unless told otherwise.
    return false;
  }
}

/** Finds out what the system can do and makes the pool; `aliases` says it instead. */
export async function createAddressPool(options: { aliases?: boolean } = {}): Promise<AddressPool> {
  const aliases = options.aliases ?? (await hasAliases());
  const taken = new Set<string>();
  return {
    aliases,
    owns: (address) => (aliases ? inEmbeddedRange(address) : address === loopback),
    allocate() {
      if (!aliases) return loopback;
      let address = randomAddress();
      while (taken.has(address)) address = randomAddress();
      taken.add(address);
      return address;
    },
    reserve: (address) => void taken.add(address),
    release: (address) => void taken.delete(address),
  };
}
