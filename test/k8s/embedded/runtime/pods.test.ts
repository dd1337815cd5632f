import { existsSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { configMaps, secrets } from '../../../../src/k8s/resources.ts';
import {
  answering,
  createStepClock,
  createWorld,
  namespace,
  pidsOf,
  runs,
  shell,
  type StepClock,
  waiting,
  type World,
} from './world.ts';

let world: World;
afterEach(() => world[Symbol.asyncDispose]());

const env = (name: string, value: string) => ({ name, value });

describe('a Pod', () => {
  beforeEach(async () => {
    world = await createWorld();
  });

  it('runs as a local program on an address of its own', async () => {
    await world.pod('web', answering(`process.env.HOST + ':' + process.env.PORT`));
    await world.running('web');
    const pod = await world.until('web', ({ status }) => status?.phase === 'Running');
    const address = pod.status?.podIP ?? '';
    expect(world.addresses.owns(address)).toBe(true);
    expect(pod).toMatchObject({
      spec: { nodeName: 'local' },
      status: {
        podIPs: [{ ip: address }],
        hostIP: '127.0.0.1',
        containerStatuses: [{ name: 'main', ready: true, started: true, restartCount: 0 }],
      },
    });
    for (const type of ['PodScheduled', 'Initialized', 'ContainersReady', 'Ready']) {
      expect(pod.status?.conditions).toContainEqual(expect.objectContaining({ type, status: 'True' }));
    }
    expect(await world.told('web', 'Scheduled')).toBe(`Successfully assigned ${namespace}/web to local`);
    expect(await world.told('web', 'Started')).toBe('Started container main');
  });

  it('knows HOST, PORT, the machine’s PATH and its own values, and nothing else of the server', async () => {
    process.env['SLIPWAY_SECRET_OF_THE_SERVER'] = 'x';
    await world.pod(
      'env',
      {
        ...shell('env; exit 0'),
        ports: [{ containerPort: 8765 }],
        env: [
          env('GREETING', 'hello $(NAME)'),
          env('NAME', 'world'),
          env('AGAIN', '$(NAME) on $(HOST):$(PORT), $(UNKNOWN), $$(NAME)'),
          { name: 'POD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
          { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
        ],
      },
      { restartPolicy: 'Never' },
    );
    const pod = await world.until('env', ({ status }) => status?.phase === 'Succeeded');
    delete process.env['SLIPWAY_SECRET_OF_THE_SERVER'];
    const host = pod.status?.podIP;
    const lines = (await world.log('env')).split('\n');
    expect(lines).toEqual(
      expect.arrayContaining([
        `HOST=${host}`,
        'PORT=8765',
        `PATH=${process.env['PATH']}`,
        'GREETING=hello $(NAME)',
        `AGAIN=world on ${host}:8765, $(UNKNOWN), $(NAME)`,
        'POD=env',
        `IP=${host}`,
      ]),
    );
    expect(lines.filter((line) => line.includes('SECRET_OF_THE_SERVER'))).toEqual([]);
  });

  it('expands its command and arguments, and runs in its folder', async () => {
    const { dataDir } = world;
    await world.pod(
      'args',
      {
        command: ['/bin/sh', '-c', 'pwd; echo "$0" "$1"'],
        args: ['$(COLOUR)', '$$(COLOUR) $(HOST)'],
        env: [env('COLOUR', 'blue')],
        workingDir: dataDir,
      },
      { restartPolicy: 'Never' },
    );
    const pod = await world.until('args', ({ status }) => status?.phase === 'Succeeded');
    expect(await world.log('args')).toBe(`${dataDir}\nblue $(COLOUR) ${pod.status?.podIP}\n`);
  });

  it('ends as its policy says: once, until it succeeds, or never', async () => {
    await Promise.all([
      world.pod('succeeds', shell('exit 0'), { restartPolicy: 'OnFailure' }),
      world.pod('fails', shell('exit 3'), { restartPolicy: 'Never' }),
      world.pod('killed', shell('kill -KILL $$$$'), { restartPolicy: 'Never' }),
      world.pod('again', shell('exit 4'), { restartPolicy: 'OnFailure' }),
      world.pod('always', shell('exit 0')),
    ]);
    await world.until('succeeds', ({ status }) => status?.phase === 'Succeeded');
    await world.until('fails', ({ status }) => status?.phase === 'Failed');
    await world.until('killed', ({ status }) => status?.phase === 'Failed');
    expect((await world.ended('succeeds')).state?.terminated).toMatchObject({ exitCode: 0, reason: 'Completed' });
    expect((await world.ended('fails')).state?.terminated).toMatchObject({ exitCode: 3, reason: 'Error' });
    expect((await world.ended('killed')).state?.terminated).toMatchObject({
      exitCode: 137,
      reason: 'Error',
      message: 'ended by SIGKILL',
    });
    const restarted = (name: string) => world.container(name, ({ restartCount }) => (restartCount ?? 0) > 0);
    expect((await restarted('again')).lastState?.terminated?.exitCode).toBe(4);
    expect((await restarted('always')).lastState?.terminated?.exitCode).toBe(0);
    expect(world.present('fails')?.status?.conditions).toContainEqual(
      expect.objectContaining({ type: 'Ready', status: 'False' }),
    );
    expect(world.present('succeeds')?.status?.conditions).toContainEqual(
      expect.objectContaining({ type: 'Ready', status: 'False', reason: 'PodCompleted' }),
    );
  });

  it.each([
    { what: 'in PATH', program: 'no-such-program', why: 'cannot start "no-such-program": not found in PATH' },
    { what: 'at its path', program: '/no/such/program', why: 'cannot start "/no/such/program": no such file' },
    { what: 'as a program', program: '/etc/passwd', why: 'cannot start "/etc/passwd": it is not an executable file' },
  ])('says of a program that is not there $what that it can’t start', async ({ program, why }) => {
    await world.pod('none', { command: [program] }, { restartPolicy: 'Never' });
    const { state } = await world.ended('none');
    expect(state?.terminated).toMatchObject({ exitCode: 128, reason: 'StartError', message: why });
    expect(await world.told('none', 'Failed')).toBe(`Error: ${why}`);
    expect(await world.log('none')).toBe(`${why}\n`);
  });

  it('shows the last lines of its log as why it failed, where it asks for that', async () => {
    const container = { ...shell('echo "no database"; exit 1'), terminationMessagePolicy: 'FallbackToLogsOnError' };
    await world.pod('words', container, { restartPolicy: 'Never' });
    expect((await world.ended('words')).state?.terminated?.message).toBe('no database');
  });

  it('takes all that a program left running with it', async () => {
    await world.pod('parent', shell('sleep 1000 & echo $!; exit 0'), { restartPolicy: 'Never' });
    await world.ended('parent');
    const child = Number(await world.log('parent'));
    expect(child).toBeGreaterThan(1);
    await expect.poll(() => runs(child)).toBe(false);
  });
});

describe('init containers', () => {
  beforeEach(async () => {
    world = await createWorld();
  });
  const init = (name: string, script: string) => ({ name, image: 'slipway.dev/process', ...shell(script) });

  it('run one after the other, before the others start', async () => {
    const file = `${world.dataDir}/order`;
    await world.pod('web', shell(`echo main >> ${file}; exec sleep 1000`), {
      initContainers: [init('one', `echo one >> ${file}`), init('two', `cat ${file}; echo two >> ${file}`)],
    });
    await world.container('web', ({ state }) => state?.running !== undefined, 'main');
    expect(await world.log('web', { container: 'two' })).toBe('one\n');
    expect(world.present('web')?.status?.initContainerStatuses).toMatchObject([
      { name: 'one', state: { terminated: { exitCode: 0 } } },
      { name: 'two', state: { terminated: { exitCode: 0 } } },
    ]);
  });

  it('hold the Pod back while they fail, and end it where it is never restarted', async () => {
    await world.pod('held', waiting, { initContainers: [init('check', 'exit 1')] });
    await world.pod('over', waiting, { initContainers: [init('check', 'exit 1')], restartPolicy: 'Never' });
    await world.container('held', ({ restartCount }) => (restartCount ?? 0) > 0, 'check');
    expect(world.present('held')?.status).toMatchObject({
      phase: 'Pending',
      containerStatuses: [{ name: 'main', state: { waiting: { reason: 'PodInitializing' } } }],
    });
    expect(world.present('held')?.status?.conditions).toContainEqual(
      expect.objectContaining({
        type: 'Initialized',
        status: 'False',
        message: 'containers with incomplete status: [check]',
      }),
    );
    await world.until('over', ({ status }) => status?.phase === 'Failed');
  });
});

describe('what a container refers to', () => {
  let clock: StepClock;
  beforeEach(async () => {
    clock = createStepClock();
    world = await createWorld({ clock });
  });
  const fromSecret = (key: string, optional = false) => ({
    name: 'TOKEN',
    valueFrom: { secretKeyRef: { name: 'keys', key, optional } },
  });
  const waits = (message: string) =>
    world
      .container('web', ({ state }) => state?.waiting?.message === message)
      .then(({ state }) => state?.waiting?.reason);

  it('must be there: a missing Secret is told, and once it is mended the container starts', async () => {
    await world.pod('web', { ...shell('echo $TOKEN; exec sleep 1000'), env: [fromSecret('token')] });
    expect(await waits('secret "keys" not found')).toBe('CreateContainerConfigError');
    expect(await world.told('web', 'Failed')).toBe('Error: secret "keys" not found');
    const metadata = { name: 'keys', namespace };
    await world.api.client.create(secrets, { apiVersion: 'v1', kind: 'Secret', metadata, stringData: { other: 'x' } });
    await clock.step(10_000);
    expect(await waits(`couldn't find key token in Secret ${namespace}/keys`)).toBe('CreateContainerConfigError');
    await world.api.client.patch(secrets, 'keys', namespace, { stringData: { token: 's3cret' } });
    await clock.step(10_000);
    await world.running('web');
    expect(world.present('web')?.status?.containerStatuses?.[0]?.restartCount).toBe(0);
    const [line] = await firstLines('web');
    expect(line).toBe('s3cret');
  });

  it('may be a ConfigMap, and optional', async () => {
    const fromMap = (name: string, key: string, optional: boolean) => ({
      name,
      valueFrom: { configMapKeyRef: { name: 'settings', key, optional } },
    });
    await world.pod('web', {
      ...shell('echo "$LEVEL-$NONE-$TOKEN-"; exec sleep 1000'),
      env: [fromMap('LEVEL', 'level', false), fromMap('NONE', 'none', true), fromSecret('token', true)],
    });
    expect(await waits('configmap "settings" not found')).toBe('CreateContainerConfigError');
    const metadata = { name: 'settings', namespace };
    await world.api.client.create(configMaps, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata,
      data: { level: 'high' },
    });
    await clock.step(10_000);
    const [line] = await firstLines('web');
    expect(line).toBe('high---');
  });

  it.each([
    {
      what: 'a folder',
      container: { workingDir: '/no/such/folder' },
      why: 'working directory "/no/such/folder" does not exist or is not a folder',
    },
    {
      what: 'a field',
      container: { env: [{ name: 'X', valueFrom: { fieldRef: { fieldPath: 'spec.hostname' } } }] },
      why: 'fieldRef "spec.hostname" is not supported',
    },
    {
      what: 'a volume',
      container: { volumeMounts: [{ name: 'data', mountPath: '/data' }] },
      why: 'volume mounts are not supported here: local programs see the files of this machine',
    },
    { what: 'a command', container: { command: [] }, why: 'no command is given: set the program to run in "command"' },
  ])('must be there: $what', async ({ container, why }) => {
    const spec = { volumes: [{ name: 'data', emptyDir: {} }] };
    await world.pod('web', { ...waiting, ...container }, spec as object);
    expect(await waits(why)).toBe('CreateContainerConfigError');
  });

  /** The first line, as soon as it is there. */
  async function firstLines(name: string): Promise<string[]> {
    await world.running(name);
    const stream = await world.logs(name, { follow: true });
    for await (const chunk of stream) {
      stream.destroy();
      return String(chunk).split('\n');
    }
    return [];
  }
});

describe('a container that keeps ending', () => {
  let clock: StepClock;
  beforeEach(async () => {
    clock = createStepClock();
    world = await createWorld({ clock });
  });
  const waitsInLoop = (restarts: number) =>
    world.container(
      'crash',
      ({ restartCount, state }) => restartCount === restarts && state?.waiting?.reason === 'CrashLoopBackOff',
    );

  it('is started again at once, then after 10 s, 20 s, 40 s, … up to 5 minutes', async () => {
    await world.pod('crash', shell('exit 7'));
    const uid = world.present('crash')?.metadata.uid;
    for (const [index, wait] of ['10s', '20s', '40s', '1m20s', '2m40s', '5m0s', '5m0s'].entries()) {
      const status = await waitsInLoop(index + 1);
      expect(status).toMatchObject({
        ready: false,
        lastState: { terminated: { exitCode: 7, reason: 'Error' } },
        state: { waiting: { message: `back-off ${wait} restarting failed container=main pod=crash_lab(${uid})` } },
      });
      const ms = Math.min(10_000 * 2 ** index, 300_000);
      clock.advance(ms - 1000);
      expect(await waitsInLoop(index + 1)).toBeDefined();
      clock.advance(1000);
    }
    await waitsInLoop(8);
    expect(await world.told('crash', 'BackOff')).toBe(
      `Back-off restarting failed container main in pod crash_lab(${uid})`,
    );
  });

  it('is well again, and starts without delay, after it ran for ten minutes', async () => {
    const flag = `${world.dataDir}/well`;
    await world.pod('crash', shell(`[ -e ${flag} ] && rm ${flag} && exec sleep 1000; exit 7`));
    await waitsInLoop(1);
    writeFileSync(flag, '');
    clock.advance(10_000);
    await world.running('crash');
    // Killed before that it would find the flag again.
    await expect.poll(() => existsSync(flag)).toBe(false);
    clock.advance(1_300_000);
    for (const pid of pidsOf(world, 'crash')) process.kill(pid, 'SIGKILL');
    const status = await waitsInLoop(3);
    expect(status.state?.waiting?.message).toMatch(/^back-off 10s /);
  });
});
