import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chmod, chown, mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { Image } from './builder.ts';

/** What of a Pod says how its one container runs. */
export interface PodSpec {
  securityContext: { runAsUser: number; runAsGroup: number; fsGroup: number };
  containers: {
    env: { name: string; value: string }[];
    securityContext: {
      allowPrivilegeEscalation: boolean;
      readOnlyRootFilesystem: boolean;
      capabilities: { drop: string[] };
    };
    volumeMounts: { name: string; mountPath: string; readOnly?: boolean }[];
    startupProbe: { httpGet: { path: string } };
    readinessProbe: { httpGet: { path: string } };
  }[];
  volumes: { name: string; configMap?: { name: string }; emptyDir?: object }[];
}

export interface ContainerOptions {
  image: Image;
  pod: PodSpec;
  /** Of the containers that run at once or one after the other. */
  folder: string;
  args?: string[];
  /** Default: the image's. */
  entrypoint?: string[];
  /** Wins over the Pod's. */
  env?: Record<string, string>;
  /** Files of mounted folders, by path of the folder. */
  files?: Record<string, Record<string, string>>;
}

/** Starts a container as a node of a cluster does, by the Pod's own words, but in the network of this machine. */
export async function startContainer(
  options: ContainerOptions,
): Promise<ChildProcessByStdio<null, Readable, Readable>> {
  const bundle = await mkdtemp(join(options.folder, 'bundle-'));
  await writeFile(join(bundle, 'config.json'), JSON.stringify(await specification(options, bundle)));
  const args = ['--root', join(options.folder, 'containers'), 'run', '--bundle', bundle, `slipway-${randomUUID()}`];
  return spawn('runc', args, { stdio: ['ignore', 'pipe', 'pipe'] });
}

/** By the runtime specification of the Open Container Initiative. */
async function specification(options: ContainerOptions, bundle: string): Promise<object> {
  const { image, pod, args = [], entrypoint = image.config.Entrypoint, env = {} } = options;
  const [container] = pod.containers;
  if (!container) throw new Error('The Pod has no container.');
  const { allowPrivilegeEscalation, readOnlyRootFilesystem, capabilities } = container.securityContext;
  if (capabilities.drop.join() !== 'ALL') throw new Error('The container keeps capabilities.');
  const { runAsUser: uid, runAsGroup: gid, fsGroup } = pod.securityContext;
  const ofPod = Object.fromEntries(container.env.map(({ name, value }) => [name, value]));
  return {
    ociVersion: '1.0.2',
    process: {
      user: { uid, gid, additionalGids: [fsGroup] },
      cwd: image.config.WorkingDir,
      args: [...entrypoint, ...args],
      env: [...image.config.Env, ...Object.entries({ ...ofPod, ...env }).map(([name, value]) => `${name}=${value}`)],
      noNewPrivileges: !allowPrivilegeEscalation,
    },
    root: { path: image.root, readonly: readOnlyRootFilesystem },
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=755'] },
      ...(await mounts(options, bundle)),
    ],
    linux: { namespaces: ['pid', 'mount', 'ipc', 'uts'].map((type) => ({ type })) },
  };
}

async function mounts({ pod, files = {} }: ContainerOptions, bundle: string): Promise<object[]> {
  const bind = (source: string, destination: string, access: 'ro' | 'rw') =>
    ({ destination, type: 'bind', source, options: ['bind', access] }) as const;
  const empty = pod.volumes.filter(({ emptyDir }) => emptyDir).map(({ name }) => name);
  const written = pod.containers[0]?.volumeMounts.filter(({ name }) => empty.includes(name)) ?? [];
  const found = [bind('/etc/hosts', '/etc/hosts', 'ro')];
  for (const { name, mountPath } of written) {
    const source = join(bundle, name);
    await mkdir(source);
    await chown(source, 0, pod.securityContext.fsGroup);
    await chmod(source, 0o2777);
    found.push(bind(source, mountPath, 'rw'));
  }
  for (const [mountPath, contents] of Object.entries(files)) {
    const source = await mkdtemp(join(bundle, 'files-'));
    await chmod(source, 0o755);
    for (const [name, text] of Object.entries(contents)) await writeFile(join(source, name), text);
    found.push(bind(source, mountPath, 'ro'));
  }
  return found;
}
