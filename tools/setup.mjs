// Runs before `npm start` and `npm test`, with whatever Node the machine has (20 or newer): installs the dependencies
// when the lockfile has changed since they were installed.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';

const root = fileURLToPath(new URL('..', import.meta.url));
const stamp = join(root, 'node_modules', '.slipway-lockfile');
const hash = createHash('sha256')
  .update(readFileSync(join(root, 'package-lock.json')))
  .digest('hex');

if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== hash) {
  const server = runningServer();
  if (server !== null) {
    console.error(
      `The dependencies have changed, but a server (pid ${server}) is running from this folder. Stop it first.`,
    );
    process.exit(1);
  }
  console.error('Installing dependencies (only when they have changed) …');
  const npm = process.env.npm_execpath;
  const [command, ...first] = npm ? [process.execPath, npm] : ['npm'];
  const { status } = spawnSync(command, [...first, 'ci', '--loglevel=error', '--no-audit', '--no-fund'], {
    cwd: root,
    stdio: 'inherit',
  });
  if (status !== 0) process.exit(status ?? 1);
  writeFileSync(stamp, hash);
}

/** Replacing node_modules under a running server would break its lazy imports. */
function runningServer() {
  try {
    const { pid } = JSON.parse(
      readFileSync(join(root, process.env.SLIPWAY_DATA_DIR ?? '.slipway', 'server.lock'), 'utf8'),
    );
    process.kill(pid, 0);
    return pid;
  } catch {
    return null; // no lock, or its process is gone
  }
}
