import { statSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import type { Container, Pod } from '../../resources.ts';
import { ContainerConfigError, commandLine, environment, type References } from './environment.ts';
import { type BuiltinImage, processImage } from './images.ts';
import { type Exit, type Instance, StartError } from './instance.ts';
import type { LogFile } from './log-file.ts';
import { mappedPort } from './ports.ts';
import type { Processes } from './processes.ts';

/** What containers of this machine are started with. */
export interface LaunchPart {
  processes: Processes;
  images: Readonly<Record<string, BuiltinImage>>;
  /** PATH and the like: all that programs get of the server's own environment. */
  baseEnv: Readonly<Record<string, string>>;
  references(namespace: string | undefined): References;
}

/** A container ready to start: everything it refers to is there. */
export interface Launch {
  command: string[];
  env: Record<string, string>;
  cwd: string | undefined;
  host: string;
  port: number;
}

/** How an image can be run here. */
export function imageKind(image: string | undefined, images: LaunchPart['images']): 'process' | 'builtin' | 'none' {
  if (image === processImage) return 'process';
  return image !== undefined && Object.hasOwn(images, image) ? 'builtin' : 'none';
}

/** The port a container is told as PORT: its first one, else the Pod's first. */
export function firstPort(pod: Pod, container: Container): number | undefined {
  const declared = [container, ...pod.spec.containers].flatMap((entry) => entry.ports ?? [])[0];
  return declared && mappedPort(pod, declared.containerPort);
}

function checkFolder(path: string): void {
  let folder = false;
  try {
    folder = statSync(path).isDirectory();
  } catch {
    // Not there, or not ours to see.
  }
  if (!folder) throw new ContainerConfigError(`working directory "${path}" does not exist or is not a folder`);
}

/** What would change what the program does, and is not to be had here, is refused rather than left out. */
function checkSupported(container: Container): void {
  const { volumeMounts, restartPolicy } = container as { volumeMounts?: unknown[]; restartPolicy?: string };
  if (volumeMounts?.length) {
    throw new ContainerConfigError(
      'volume mounts are not supported here: local programs see the files of this machine',
    );
  }
  if (restartPolicy === 'Always') {
    throw new ContainerConfigError(
      'restartable init containers are not supported here: make it a container of the Pod',
    );
  }
}

/** Resolves all that the container refers to; throws a ContainerConfigError. */
export function prepareLaunch(part: LaunchPart, pod: Pod, container: Container, address: string): Launch {
  checkSupported(container);
  const port = firstPort(pod, container);
  const given = { ...part.baseEnv, HOST: address, ...(port !== undefined && { PORT: String(port) }) };
  const env = environment(container, pod, address, given, part.references(pod.metadata.namespace));
  const command = commandLine(container, env);
  if (container.workingDir !== undefined && container.workingDir !== '') checkFolder(container.workingDir);
  if (container.image === processImage && !command[0]) {
    throw new ContainerConfigError('no command is given: set the program to run in "command"');
  }
  return { command, env, cwd: container.workingDir || undefined, host: address, port: port ?? 0 };
}

function runImage(image: BuiltinImage, launch: Launch, log: LogFile, startedAt: number): Instance {
  const abort = new AbortController();
  const { promise: killed, resolve: kill } = Promise.withResolvers<Exit>();
  const write = (line: string) => log.write(line);
  const run = async (): Promise<Exit> => {
    try {
      const { env, host, port } = launch;
      const code = await image({ host, port, env, args: launch.command, signal: abort.signal, log: write });
      return { code };
    } catch (error) {
      if (abort.signal.aborted) return { code: 143, message: 'ended by SIGTERM' };
      const message = error instanceof Error ? error.message : String(error);
      write(message);
      return { code: 1 };
    }
  };
  return {
    id: randomUUID(),
    startedAt,
    ended: Promise.race([run(), killed]),
    terminate: () => abort.abort(),
    kill() {
      abort.abort();
      kill({ code: 137, message: 'ended by SIGKILL' });
    },
    pids: () => [],
  };
}

/** Starts a run of the container; rejects with a StartError when its program can't be started. */
export async function launchContainer(
  part: LaunchPart,
  launch: Launch,
  what: { podUid: string; container: Container; run: number; log: LogFile; now: number },
): Promise<Instance> {
  const image = what.container.image ?? '';
  const builtin = image === processImage ? undefined : part.images[image];
  if (builtin) return runImage(builtin, launch, what.log, what.now);
  if (image !== processImage) throw new StartError(`this cluster can't run the image "${image}"`);
  const { podUid, run, log } = what;
  const { command, env, cwd } = launch;
  return part.processes.start({ podUid, container: what.container.name, run, command, env, cwd, logPath: log.path });
}
