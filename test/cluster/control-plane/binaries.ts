import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, mkdir, readFile, rename, rm, statfs } from 'node:fs/promises';
import { availableParallelism, homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

const packages = {
  etcd: 'go.etcd.io/etcd/server/v3',
  'kube-apiserver': 'k8s.io/kubernetes/cmd/kube-apiserver',
  'kube-controller-manager': 'k8s.io/kubernetes/cmd/kube-controller-manager',
  'kube-scheduler': 'k8s.io/kubernetes/cmd/kube-scheduler',
  kubectl: 'k8s.io/kubernetes/cmd/kubectl',
} as const;

export type Binary = keyof typeof packages;

/** The path of each program. */
export type Binaries = Record<Binary, string>;

const names = Object.keys(packages) as Binary[];
export const cache = join(homedir(), '.cache', 'slipway-cluster');
const neededGiB = 8;

const environment = {
  ...process.env,
  CGO_ENABLED: '0',
  GOFLAGS: '-trimpath -buildvcs=false',
  // The installed Go builds them, whatever newer one a module asks for: nothing is downloaded but modules.
  GOTOOLCHAIN: 'local',
};

/** Builds what is not built yet of the programs of go.mod; they are kept under the hash of what they are made from. */
export function buildBinaries(say: (line: string) => void, wanted: readonly Binary[] = names): Promise<Binaries> {
  const flags = (manifest: string) => `-s -w ${versionFlags(manifest)}`;
  return buildPrograms({ source: import.meta.dirname, packages, flags, wanted, minutes: 9, say });
}

export interface Sources<Name extends string> {
  /** The folder with go.mod. */
  source: string;
  packages: Readonly<Record<Name, string>>;
  /** For the linker, made of go.mod. */
  flags: (manifest: string) => string;
  /** @default all */
  wanted?: readonly Name[];
  /** Of CPU, for all of them, the first time. */
  minutes: number;
  say: (line: string) => void;
}

/** The paths of Go programs; what is not there yet is built. */
export async function buildPrograms<Name extends string>(sources: Sources<Name>): Promise<Record<Name, string>> {
  const { source, packages, minutes, say } = sources;
  const [manifest = '', sums = ''] = await Promise.all(
    ['go.mod', 'go.sum'].map((file) => readFile(join(source, file), 'utf8')),
  );
  const key = createHash('sha256').update(`${manifest}${sums}${process.arch}`).digest('hex').slice(0, 16);
  const folder = join(cache, key);
  await mkdir(folder, { recursive: true });
  const all = Object.keys(packages) as Name[];
  const programs = Object.fromEntries(all.map((name) => [name, join(folder, name)])) as Record<Name, string>;
  const missing: Name[] = [];
  for (const name of sources.wanted ?? all) if (!(await exists(programs[name]))) missing.push(name);
  if (missing.length === 0) return programs;
  await requireSpace();
  say(`building ${missing.join(', ')} from source, in all about ${minutes} minutes of CPU the first time`);
  for (const name of missing) {
    const started = Date.now();
    // A build that was broken off must not look like a finished one.
    const building = `${programs[name]}.${process.pid}`;
    try {
      await build(source, ['-ldflags', sources.flags(manifest), '-o', building, packages[name]]);
      await rename(building, programs[name]);
    } finally {
      await rm(building, { force: true });
    }
    say(`${name} built in ${Math.round((Date.now() - started) / 1000)} s`);
  }
  return programs;
}

async function build(source: string, args: string[]): Promise<void> {
  try {
    const go = ['-n', '19', 'go', 'build', '-p', String(availableParallelism()), ...args];
    await run('nice', go, { cwd: source, env: environment, maxBuffer: 2 ** 26 });
  } catch (error) {
    const { code, stderr = '' } = error as { code?: unknown; stderr?: string };
    if (code === 'ENOENT' || /No such file/.test(stderr)) {
      throw new Error('The control plane is built with Go 1.26 or later, which is not on the PATH.', { cause: error });
    }
    throw new Error(`The control plane can not be built: ${stderr.slice(-2000)}`, { cause: error });
  }
}

/** What `/version` and kubectl say: without it they call themselves v0.0.0. */
function versionFlags(manifest: string): string {
  const [, version = '', major = '', minor = ''] = /k8s\.io\/kubernetes (v(\d+)\.(\d+)\.\d+)/.exec(manifest) ?? [];
  return Object.entries({ gitVersion: version, gitMajor: major, gitMinor: minor })
    .map(([name, value]) => `-X k8s.io/component-base/version.${name}=${value}`)
    .join(' ');
}

async function requireSpace(): Promise<void> {
  await mkdir(cache, { recursive: true });
  const { bavail, bsize } = await statfs(cache);
  const free = (bavail * bsize) / 2 ** 30;
  if (free < neededGiB) {
    throw new Error(
      `Building the control plane needs ${neededGiB} GiB free in ${dirname(cache)}, and ${free.toFixed(1)} are: make room, or set KUBECONFIG_TEST to a cluster to test on.`,
    );
  }
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** The folder of a Go module, downloaded and checked against its known sum. */
export async function moduleFolder(path: string, version: string, sum: string): Promise<string> {
  const { stdout } = await run('go', ['mod', 'download', '-json', `${path}@${version}`], {
    // Outside of any module, so that the module's own requirements do not matter.
    cwd: cache,
    env: environment,
  });
  const { Dir, Sum } = JSON.parse(stdout) as { Dir: string; Sum: string };
  if (Sum !== sum) throw new Error(`The module ${path}@${version} is not what it was: its sum is ${Sum}.`);
  return Dir;
}
