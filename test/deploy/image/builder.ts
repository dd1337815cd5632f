import { execFile } from 'node:child_process';
import { mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { getCACertificates } from 'node:tls';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** An image, and its file system as a folder. */
export interface Image {
  root: string;
  config: {
    User: string;
    WorkingDir: string;
    Env: string[];
    Entrypoint: string[];
    ExposedPorts: Record<string, object>;
  };
}

export interface Builder {
  /** Of temporary files; it is gone with the builder. */
  readonly folder: string;
  /** Carries out a Dockerfile, line by line. */
  build(tag: string, context: string, dockerfile?: string): Promise<void>;
  open(tag: string): Promise<Image>;
  close(): Promise<void>;
}

/** Builds images without an engine and without a registry of images: what is named in a FROM must have been built before. */
export async function createBuilder(): Promise<Builder> {
  await refuseWithoutTools();
  const folder = await mkdtemp(join(tmpdir(), 'slipway-image-'));
  const npmrc = join(folder, 'npmrc');
  const buildah = async (...args: string[]): Promise<string> => {
    const storage = ['--root', join(folder, 'images'), '--runroot', join(folder, 'run'), '--storage-driver', 'vfs'];
    const { stdout } = await run('buildah', [...storage, ...args], {
      env: { ...process.env, TMPDIR: folder, BUILDAH_ISOLATION: 'chroot' },
      maxBuffer: 2 ** 26,
    });
    return stdout.trim();
  };
  await writeFile(npmrc, await registryOfThisMachine(), { mode: 0o600 });
  return {
    folder,
    async build(tag, context, dockerfile = join(context, 'Dockerfile')) {
      const secret = ['--secret', `id=npmrc,src=${npmrc}`];
      await buildah('build', '--pull-never', ...secret, '--file', dockerfile, '--tag', tag, context);
    },
    async open(tag) {
      const container = await buildah('from', '--pull-never', tag);
      const { config } = JSON.parse(await buildah('inspect', '--type', 'image', '--format', '{{.Config}}', tag));
      return { root: await buildah('mount', container), config };
    },
    close: () => rm(folder, { recursive: true, force: true }),
  };
}

async function refuseWithoutTools(): Promise<void> {
  const found = await run('sh', ['-c', 'command -v apt-get buildah runc && test "$(id -u)" = 0']).catch(() => null);
  if (found) return;
  throw new Error('Building and running the image takes root, apt-get, and the Debian packages buildah and runc.');
}

/** npm in a build knows nothing of this machine: which registry it uses, and whom it trusts. */
async function registryOfThisMachine(): Promise<string> {
  const { stdout } = await run('npm', ['config', 'get', 'registry']);
  const authorities = getCACertificates('default').map((certificate) => `ca[]=${JSON.stringify(certificate)}\n`);
  return `registry=${stdout.trim()}\n${authorities.join('')}`;
}

/** Builds what stands for the base image, which can't be had everywhere, under the base image's name. */
export async function buildStandIn(builder: Builder, name: string): Promise<void> {
  const { stdout: npm } = await run('sh', ['-c', 'realpath "$(command -v npm)"']);
  const parts = [await realpath(process.execPath), dirname(dirname(npm.trim()))];
  const folder = join(builder.folder, 'stand-in');
  await run(join(import.meta.dirname, 'stand-in.sh'), [folder, ...parts]);
  await builder.build(name, join(folder, 'root'), join(import.meta.dirname, 'stand-in.Dockerfile'));
  await rm(folder, { recursive: true });
}

/** The name of the base image in a Dockerfile. */
export async function baseOf(dockerfile: string): Promise<string> {
  const [, name] = /^ARG NODE_IMAGE=(\S+)$/m.exec(await readFile(dockerfile, 'utf8')) ?? [];
  if (name === undefined) throw new Error(`${dockerfile} names no base image.`);
  return name;
}
