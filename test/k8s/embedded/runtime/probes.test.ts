import { rmSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Probe } from '../../../../src/k8s/resources.ts';
import { answering, createStepClock, createWorld, type StepClock, waiting, type World } from './world.ts';

let world: World;
let clock: StepClock;
let flag: string;
beforeEach(async () => {
  clock = createStepClock();
  world = await createWorld({ clock });
  flag = `${world.dataDir}/flag`;
});
afterEach(() => world[Symbol.asyncDispose]());

/** Passes while the flag is up. */
const flagged = (more: Partial<Probe> = {}): Probe => ({
  exec: { command: ['/bin/sh', '-c', `[ -e ${flag} ] || { echo the flag is down; exit 1; }`] },
  periodSeconds: 7,
  ...more,
});
const raise = () => writeFileSync(flag, '');
const lower = () => rmSync(flag);
const isReady = (ready: boolean) =>
  world.container('web', (status) => status.state?.running !== undefined && status.ready === ready);
const conditionsOf = () => world.present('web')?.status?.conditions;

describe('a readiness probe', () => {
  it('makes a container ready, not ready and ready again, and the Pod with it', async () => {
    await world.pod('web', { ...waiting, readinessProbe: flagged({ failureThreshold: 2 }) });
    expect(await isReady(false)).toMatchObject({ started: true, ready: false });
    expect(conditionsOf()).toContainEqual(
      expect.objectContaining({
        type: 'Ready',
        status: 'False',
        reason: 'ContainersNotReady',
        message: 'containers with unready status: [main]',
      }),
    );
    await clock.step(0);
    expect(await world.told('web', 'Unhealthy')).toBe('Readiness probe failed: the flag is down');
    raise();
    // It is tried between its periods, too, until it has passed once.
    await clock.step(50);
    await isReady(true);
    lower();
    await clock.step(7000 - 50);
    await clock.step(7000);
    await isReady(false);
    raise();
    await clock.step(7000);
    expect(await isReady(true)).toMatchObject({ restartCount: 0 });
    expect(conditionsOf()).toContainEqual(expect.objectContaining({ type: 'Ready', status: 'True' }));
  });

  it('needs as many successes in a row as its threshold says', async () => {
    await world.pod('web', { ...waiting, readinessProbe: flagged({ successThreshold: 2 }) });
    await isReady(false);
    raise();
    await clock.step(0);
    await clock.step(7000);
    expect((await isReady(true)).restartCount).toBe(0);
  });
});

describe('a liveness probe', () => {
  it('restarts a container that fails it as often as its threshold says', async () => {
    raise();
    await world.pod('web', { ...waiting, livenessProbe: flagged({ failureThreshold: 2 }) });
    const { containerID } = await world.running('web');
    lower();
    await clock.step(7000);
    expect(await world.told('web', 'Unhealthy')).toBe('Liveness probe failed: the flag is down');
    raise();
    await clock.step(7000);
    // The try is over when the next one is waited for.
    await clock.waited(7000);
    lower();
    await clock.step(7000);
    await clock.step(7000);
    const status = await world.container(
      'web',
      ({ restartCount, state }) => restartCount === 1 && state?.running !== undefined,
    );
    expect(status.containerID).not.toBe(containerID);
    expect(status.lastState?.terminated).toMatchObject({
      exitCode: 143,
      reason: 'Error',
      message: 'ended by SIGTERM',
      // A success in between had the count begin anew.
      finishedAt: '2026-01-01T00:00:28Z',
    });
    expect(await world.told('web', 'Killing')).toBe('Container main failed liveness probe, will be restarted');
  });
});

describe('a startup probe', () => {
  it('holds the other probes back until it passes', async () => {
    raise();
    const readinessProbe = flagged({ periodSeconds: 3 });
    const startup = { exec: { command: ['/bin/sh', '-c', `[ -e ${flag}.started ]`] }, periodSeconds: 9 };
    await world.pod('web', { ...waiting, startupProbe: startup, readinessProbe });
    await clock.step(0);
    expect(await isReady(false)).toMatchObject({ started: false });
    // The first try has failed, and the next is due.
    await clock.waited(50);
    writeFileSync(`${flag}.started`, '');
    await clock.step(50);
    await world.container('web', ({ started }) => started === true);
    await clock.step(0);
    await isReady(true);
  });

  it('restarts a container that does not start in time', async () => {
    await world.pod('web', { ...waiting, startupProbe: flagged({ failureThreshold: 1, initialDelaySeconds: 5 }) });
    await world.running('web');
    await clock.step(5000);
    await world.container('web', ({ restartCount }) => restartCount === 1);
    expect(await world.told('web', 'Killing')).toBe('Container main failed startup probe, will be restarted');
  });
});

describe('a probe that takes too long', () => {
  it('has failed when its time is over', async () => {
    const readinessProbe = { exec: { command: ['/bin/sh', '-c', 'sleep 1000'] }, timeoutSeconds: 4, periodSeconds: 7 };
    await world.pod('web', { ...waiting, readinessProbe });
    await world.running('web');
    await clock.step(0);
    await clock.step(4000);
    expect(await world.told('web', 'Unhealthy')).toBe(
      'Readiness probe failed: command timed out: "/bin/sh -c sleep 1000"',
    );
  });
});

describe('over the network', () => {
  beforeEach(async () => {
    await world[Symbol.asyncDispose]();
    world = await createWorld();
  });

  it.each([
    { what: 'HTTP on a port by name', probe: { httpGet: { path: '/healthz', port: 'http' } } },
    { what: 'HTTP on a port by number', probe: { httpGet: { port: 8080 } } },
    { what: 'TCP', probe: { tcpSocket: { port: 8080 } } },
  ])('a Pod is ready when it answers: $what', async ({ probe }) => {
    await world.pod('web', { ...answering(), readinessProbe: { ...probe, periodSeconds: 1 } });
    await world.running('web');
    expect(world.present('web')?.status?.containerStatuses?.[0]?.ready).toBe(false);
    await world.ready('web');
  });

  it.each([
    { what: 'the status', httpGet: { path: '/up', port: 8080 }, why: 'HTTP probe failed with statuscode: 503' },
    { what: 'that there is no such port', httpGet: { path: '/', port: 'grpc' }, why: "couldn't find port: grpc" },
  ])('a failure says $what', async ({ httpGet, why }) => {
    const answer = `(response.statusCode = request.url === '/up' ? 503 : 200)`;
    await world.pod('web', { ...answering(answer), readinessProbe: { httpGet, periodSeconds: 1 } });
    expect(await world.told('web', 'Unhealthy')).toBe(`Readiness probe failed: ${why}`);
  });
});
