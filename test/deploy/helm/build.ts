import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, mkdir, readFile, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Builds the Helm of go.mod unless that is done; it is kept under the hash of what it is made from. Gives its path. */
export async function buildHelm(say: (line: string) => void): Promise<string> {
  const source = import.meta.dirname;
  const files = await Promise.all(['go.mod', 'go.sum'].map((file) => readFile(join(source, file), 'utf8')));
  const key = createHash('sha256')
    .update(`${files.join('')}${process.arch}`)
    .digest('hex')
    .slice(0, 16);
  const folder = join(homedir(), '.cache', 'slipway-deploy', key);
  const helm = join(folder, 'helm');
  const built = await access(helm).then(
    () => true,
    () => false,
  );
  if (built) return helm;
  await mkdir(folder, { recursive: true });
  say('building Helm from source, about 3 minutes of CPU the first time');
  // A build that was broken off must not look like a finished one.
  const building = `${helm}.${process.pid}`;
  try {
    await run('nice', ['-n', '19', 'go', 'build', '-ldflags', '-s -w', '-o', building, 'helm.sh/helm/v3/cmd/helm'], {
      cwd: source,
      env: { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-trimpath -buildvcs=false', GOTOOLCHAIN: 'local' },
      maxBuffer: 2 ** 26,
    });
    await rename(building, helm);
  } catch (error) {
    const { stderr = '' } = error as { stderr?: string };
    throw new Error(`Helm is built with Go 1.26 or later on the PATH. ${stderr.slice(-2000)}`, { cause: error });
  } finally {
    await rm(building, { force: true });
  }
  return helm;
}
