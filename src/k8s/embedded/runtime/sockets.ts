import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** A listening TCP socket of the system. */
export interface Listener {
  address: string;
  port: number;
  inode: string;
}

const listenState = '0A';

/** The kernel writes IPv4 as one little-endian word, IPv6 as four. */
function decodeAddress(hex: string): string {
  const bytes = (word: string) => (word.match(/../g) ?? []).map((byte) => Number.parseInt(byte, 16)).toReversed();
  const all = (hex.match(/.{8}/g) ?? []).flatMap(bytes);
  if (all.length === 4) return all.join('.');
  if (all.every((byte) => byte === 0)) return '::';
  if (all.slice(0, 10).every((byte) => byte === 0) && all[10] === 255) return all.slice(12).join('.');
  return all.slice(0, 15).every((byte) => byte === 0) && all[15] === 1 ? '::1' : `[${hex.toLowerCase()}]`;
}

/** The listening sockets in the text of /proc/net/tcp or tcp6. */
export function parseListeners(text: string): Listener[] {
  return text.split('\n').flatMap((line) => {
    const fields = line.trim().split(/\s+/);
    const [address, port] = (fields[1] ?? '').split(':');
    if (fields[3] !== listenState || !address || !port) return [];
    return [{ address: decodeAddress(address), port: Number.parseInt(port, 16), inode: fields[9] ?? '' }];
  });
}

/** All listening TCP sockets; none where the system has no /proc. */
export function systemListeners(): Listener[] {
  return ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((path) => {
    try {
      return parseListeners(readFileSync(path, 'latin1'));
    } catch {
      return [];
    }
  });
}

/** The socket inodes that these processes have open. */
export function socketsOf(pids: readonly number[]): Set<string> {
  const inodes = new Set<string>();
  for (const pid of pids) {
    for (const target of openFiles(pid)) {
      const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
      if (inode !== undefined) inodes.add(inode);
    }
  }
  return inodes;
}

function openFiles(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((fd) => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${fd}`);
      } catch {
        // Closed meanwhile.
        return '';
      }
    });
  } catch {
    // Gone, or another user's.
    return [];
  }
}

export interface ListeningFault {
  reason: 'WrongAddress' | 'PortTaken';
  message: string;
}

const wildcards = new Set(['0.0.0.0', '::']);

/** Pure: what is wrong with where a container listens; undefined when nothing is, or when it doesn't listen yet. */
export function listeningFault(
  wanted: { host: string; port: number },
  listeners: readonly Listener[],
  own: ReadonlySet<string>,
): ListeningFault | undefined {
  const { host, port } = wanted;
  const covering = listeners.filter(
    (listener) => listener.port === port && (listener.address === host || wildcards.has(listener.address)),
  );
  if (covering.some((listener) => own.has(listener.inode))) return undefined;
  const [foreign] = covering;
  if (foreign) {
    const message = `port ${port} is taken: another program listens on ${foreign.address}:${port}. Stop it, or choose another port.`;
    return { reason: 'PortTaken', message };
  }
  const [elsewhere] = listeners
    .filter((listener) => own.has(listener.inode))
    .toSorted((a, b) => Number(b.port === port) - Number(a.port === port));
  if (!elsewhere) return undefined;
  const place = `${elsewhere.address}:${elsewhere.port}`;
  const message = `listens on ${place}, not on $(HOST)=${host} and $(PORT)=${port}. Make the program listen on $(HOST) and $(PORT).`;
  return { reason: 'WrongAddress', message };
}
