import * as make from '../objects.ts';
import { warning } from '../objects.ts';
import { type Row, ended, oneUnready, seen, waiting } from './scenes.ts';

export const rows: Row[] = [
  [
    'an image that the registry does not have',
    'IMAGE_PULL',
    'DEGRADED',
    'ERROR',
    oneUnready({ container: waiting('ImagePullBackOff', 'shop:1: not found') }),
    /Container main of Pod web-1-a can't get its image "shop:1": shop:1: not found\.$/,
    /name and tag/,
  ],
  [
    'an image that may not be pulled',
    'IMAGE_PULL',
    'DEGRADED',
    'ERROR',
    oneUnready({ container: waiting('ErrImagePull', 'pull access denied, unauthorized') }),
    /unauthorized/,
    /image pull secret/,
  ],
  [
    'any image on a cluster that runs no containers',
    'IMAGE_PULL',
    'DEGRADED',
    'ERROR',
    oneUnready({ container: waiting('ErrImagePull', 'this cluster runs no containers') }),
    /runs no containers/,
    /`process`/,
  ],
  [
    'an image whose pull is not tried again yet',
    'IMAGE_PULL',
    'DEGRADED',
    'ERROR',
    oneUnready({
      container: waiting('ImagePullBackOff', 'Back-off pulling image "shop:1": ErrImagePull: shop:1: not found'),
    }),
    /^Container main of Pod web-1-a can't get its image "shop:1": shop:1: not found\.$/,
    /name and tag/,
  ],
  [
    'a missing Secret',
    'CONTAINER_CONFIG',
    'DEGRADED',
    'ERROR',
    oneUnready({ container: waiting('CreateContainerConfigError', 'secret "db" not found') }),
    /can't be started: secret "db" not found/,
    /Create the Secret db in namespace lab/,
  ],
  [
    'a command that does not exist',
    'CONTAINER_CONFIG',
    'DEGRADED',
    'ERROR',
    oneUnready({
      container: {
        ...waiting('CrashLoopBackOff'),
        restartCount: 2,
        lastState: ended(128, { reason: 'StartError', message: 'exec: "serve": executable file not found in $PATH' }),
      },
    }),
    /executable file not found/,
    /its program must exist/,
  ],
  [
    'a container that crashes again and again',
    'CRASH_LOOP',
    'DEGRADED',
    'ERROR',
    oneUnready({ age: 300, container: { ...waiting('CrashLoopBackOff'), restartCount: 4, lastState: ended(1) } }),
    /Container main of Pod web-1-a restarted 4 times in the last 10 minutes and ended with exit code 1\./,
    /logs with previous: true/,
  ],
  [
    'a container that just crashed for the first time',
    'CRASH_LOOP',
    'DEGRADED',
    'ERROR',
    oneUnready({ age: 5, container: { ready: false, state: ended(127) } }),
    /ended with exit code 127/,
    /command was not found/,
  ],
  [
    'a container that is up between two crashes',
    'CRASH_LOOP',
    'DEGRADED',
    'ERROR',
    oneUnready({ age: 300, container: { restartCount: 3, lastState: ended(1), ready: false } }),
    /restarted 3 times/,
    /logs/,
  ],
  [
    'a program that ends by itself',
    'CRASH_LOOP',
    'DEGRADED',
    'ERROR',
    oneUnready({
      age: 300,
      container: { ...waiting('CrashLoopBackOff'), restartCount: 1, lastState: ended(0, { reason: 'Completed' }) },
    }),
    /restarted 1 time in the last 10 minutes and ended with exit code 0/,
    /must keep running/,
  ],
  [
    'a port that another program has',
    'CRASH_LOOP',
    'DEGRADED',
    'ERROR',
    {
      ...oneUnready({ age: 60, container: { ...waiting('CrashLoopBackOff'), restartCount: 1, lastState: ended(1) } }),
      events: [warning('PortTaken', 'Container main: port 8080 is taken: another program listens on 0.0.0.0:8080.')],
    },
    /port 8080 is taken/,
    /choose another port/,
  ],
  [
    'a container over its memory limit',
    'OOM_KILLED',
    'DEGRADED',
    'ERROR',
    oneUnready({
      age: 300,
      spec: { resources: { limits: { memory: '256Mi' } } },
      container: { ...waiting('CrashLoopBackOff'), restartCount: 2, lastState: ended(137, { reason: 'OOMKilled' }) },
    }),
    /more memory than its limit of 256Mi/,
    /Raise the memory limit \(now 256Mi\)/,
  ],
  [
    'an image name that can be none',
    'IMAGE_PULL',
    'DEGRADED',
    'ERROR',
    oneUnready({ container: waiting('InvalidImageName', 'couldn\'t parse image reference "shop:"') }),
    /couldn't parse/,
    /registry\/repository:tag/,
  ],
  [
    'a registry that can not be reached',
    'IMAGE_PULL',
    'DEGRADED',
    'ERROR',
    oneUnready({ container: waiting('ErrImagePull', 'dial tcp: lookup registry.lab: no such host') }),
    /no such host/,
    /nodes reach the registry/,
  ],
  [
    'an init container whose image is not there',
    'IMAGE_PULL',
    'DEGRADED',
    'ERROR',
    withInit({ ...waiting('ImagePullBackOff', 'loader:1: manifest unknown'), image: 'loader:1' }),
    /^Init container init of Pod web-1-a can't get its image "loader:1": loader:1: manifest unknown\.$/,
    /name and tag/,
  ],
  [
    'an init container that crashes',
    'CRASH_LOOP',
    'DEGRADED',
    'ERROR',
    withInit({ ...waiting('CrashLoopBackOff'), restartCount: 3, lastState: ended(2) }),
    /^Init container init of Pod web-1-a restarted 3 times in the last 10 minutes and ended with exit code 2\.$/,
    /logs/,
  ],
  [
    'a missing ConfigMap',
    'CONTAINER_CONFIG',
    'DEGRADED',
    'ERROR',
    oneUnready({ container: waiting('CreateContainerConfigError', 'configmap "settings" not found') }),
    /configmap "settings" not found/,
    /Create the ConfigMap settings in namespace lab/,
  ],
  [
    'a container that the runtime can not run',
    'CONTAINER_CONFIG',
    'DEGRADED',
    'ERROR',
    oneUnready({ container: waiting('RunContainerError', 'exec /serve: permission denied') }),
    /permission denied/,
    /must exist and be executable/,
  ],
  ...exits([
    [126, /not executable/],
    [137, /SIGKILL/],
    [139, /segmentation fault/],
    [143, /SIGTERM/],
  ]),
  [
    'a program that finds its port taken',
    'CRASH_LOOP',
    'DEGRADED',
    'ERROR',
    oneUnready({
      age: 300,
      container: {
        ...waiting('CrashLoopBackOff'),
        restartCount: 2,
        lastState: ended(1, { message: 'Error: listen EADDRINUSE: address already in use :::8080' }),
      },
    }),
    /EADDRINUSE/,
    /\$\(PORT\)/,
  ],
  [
    'a container that took more memory than the node had',
    'OOM_KILLED',
    'DEGRADED',
    'ERROR',
    oneUnready({ age: 300, container: { restartCount: 1, lastState: ended(137, { reason: 'OOMKilled' }) } }),
    /more memory than the node could give/,
    /memory request/,
  ],
  [
    'a Pod that is ready but keeps restarting',
    'CRASH_LOOP',
    'DEGRADED',
    'RUNNING',
    { pods: [make.pod({ age: 300, readySince: 50, container: { restartCount: 2, lastState: ended(1, { at: 60 }) } })] },
    /restarted 2 times/,
    /logs/,
  ],
  [
    'an old Pod that keeps restarting, by the warning that Kubernetes held it back',
    'CRASH_LOOP',
    'DEGRADED',
    'RUNNING',
    {
      pods: [
        make.pod({ age: 90_000, readySince: 50, container: { restartCount: 9, lastState: ended(1, { at: 60 }) } }),
      ],
      events: [warning('BackOff', 'Back-off restarting failed container main in pod web-1-a', { at: 80 })],
    },
    /restarted 2 times/,
    /logs/,
  ],
  [
    'an old Pod that keeps restarting, by what was seen of it',
    'CRASH_LOOP',
    'DEGRADED',
    'RUNNING',
    {
      pods: [
        make.pod({ age: 90_000, readySince: 50, container: { restartCount: 9, lastState: ended(1, { at: 60 }) } }),
      ],
      sightings: seen({ ends: [500, 300, 60] }),
    },
    /restarted 3 times/,
    /logs/,
  ],
];

function exits(codes: [code: number, hint: RegExp][]): Row[] {
  return codes.map(([code, hint]) => [
    `a program that ends with ${code}`,
    'CRASH_LOOP',
    'DEGRADED',
    'ERROR',
    oneUnready({ age: 300, container: { ...waiting('CrashLoopBackOff'), restartCount: 1, lastState: ended(code) } }),
    new RegExp(`exit code ${code}`),
    hint,
  ]);
}

function withInit(status: object): ReturnType<typeof oneUnready> {
  const { pods: [pod] = [], ...rest } = oneUnready({ age: 300, container: waiting('PodInitializing') });
  if (!pod) throw new Error('no Pod');
  const init = { ...make.container({ name: 'init' }), image: 'loader:1' };
  return {
    ...rest,
    pods: [
      {
        ...pod,
        spec: { ...pod.spec, initContainers: [init] },
        status: { ...pod.status, initContainerStatuses: [{ name: 'init', ready: false, ...status }] },
      },
    ],
  };
}
