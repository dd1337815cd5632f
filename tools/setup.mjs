// Runs before `npm start` and `npm test`, with whatever Node the machine has (20 or newer): installs the dependencies
// when the lockfile has changed since they were installed.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { join, resolve } from 'node:path';

const root = fileURLToPath(new URL('..', import.meta.url));
const stamp = join(root, 'node_modules', '.slipway-lockfile');
const hash = createHash('sha256')
  .update(readFileSync(join(root, 'package-lock.json')))
  .digest('hex');

if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== hash) {
  const server = runningServer();
  if (server !== null) {
    process.stderr.write(
      `The dependencies have changed, but a server (pid ${server}) is running from this folder. Stop it first.\n`,
    );
    process.exit(1);
  }
  process.stderr.write('Installing dependencies (only when they have changed) …\n');
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
    const dataDir = resolve(root, process.env.SLIPWAY_DATA_DIR ?? '.slipway');
    const pid = Number(readFileSync(join(dataDir, 'server.pid'), 'utf8'));
    process.kill(pid, 0);
    return isNode(pid) ? pid : null;
  } catch {
    return null; // no server has been here, or its process is gone
  }
}

/** After a crash the pid may be another program's by now. */
function isNode(pid) {
  const command = `/proc/${pid}/cmdline`;
  return !existsSync('/proc/self') || readFileSync(command, 'utf8').includes('slipway');
}
