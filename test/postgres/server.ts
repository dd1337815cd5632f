import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { freePorts } from '../ports.ts';

/** A PostgreSQL server for tests: in a temporary folder, on loopback, gone afterwards. */
export interface PostgresServer {
  /** `postgres://slipway@127.0.0.1:<port>`, without a database. */
  readonly url: string;
  readonly stop: () => Promise<void>;
}

const packages = '/usr/lib/postgresql';
const run = promisify(execFile);

/** Where the Debian package puts the server's programs; the newest version there is. */
async function programs(): Promise<string> {
  const versions = await readdir(packages).catch(() => []);
  const [newest] = versions.sort((a, b) => Number(b) - Number(a));
  if (newest === undefined) {
    throw new Error(`There is no PostgreSQL in ${packages}. Install it: apt-get install postgresql.`);
  }
  return join(packages, newest, 'bin');
}

interface User {
  uid: number;
  gid: number;
}

/** The server refuses to run as root: then it is another user's. */
async function serverUser(): Promise<User | null> {
  if (process.getuid?.() !== 0) return null;
  const users = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  for (const name of ['postgres', 'nobody']) {
    const [, , uid, gid] = users.find(([user]) => user === name) ?? [];
    if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) };
  }
  throw new Error('PostgreSQL does not run as root, and there is no user "postgres" or "nobody".');
}

export async function startPostgres(): Promise<PostgresServer> {
  const bin = await programs();
  const user = await serverUser();
  const folder = await mkdtemp(join(tmpdir(), 'slipway-postgres-'));
  if (user) await chown(folder, user.uid, user.gid);
  const data = join(folder, 'data');
  const options = { cwd: folder, env: { PATH: bin, LC_ALL: 'C' }, ...user };
  const initial = ['-D', data, '-U', 'slipway', '--auth=trust', '--encoding=UTF8', '--no-sync', '--no-instructions'];
  await run(join(bin, 'initdb'), initial, options);
  const [port] = await freePorts(1);
  // Nothing of it has to survive this machine: it may forget to sync.
  const settings = { listen_addresses: '127.0.0.1', unix_socket_directories: '', fsync: 'off', max_connections: '300' };
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const child = spawn(join(bin, 'postgres'), ['-D', data, '-p', String(port), ...flags], {
    ...options,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  await ready(child);
  return {
    url: `postgres://slipway@127.0.0.1:${port}`,
    async stop() {
      const ended = once(child, 'exit');
      // Fast shutdown: clients are cut off.
      child.kill('SIGINT');
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function ready(child: ChildProcess): Promise<void> {
  const lines: string[] = [];
  if (!child.stderr) throw new Error('PostgreSQL has no log.');
  for await (const line of createInterface({ input: child.stderr })) {
    lines.push(line);
    if (!line.includes('database system is ready to accept connections')) continue;
    child.stderr.resume();
    return;
  }
  throw new Error(`PostgreSQL did not start: ${lines.join('\n')}`);
}
