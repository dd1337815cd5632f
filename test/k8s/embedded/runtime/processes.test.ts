import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../../src/clock.ts';
import { startTimeOf } from '../../../../src/k8s/embedded/runtime/os-process.ts';
import { openProcessRecords, type ProcessRecord } from '../../../../src/k8s/embedded/runtime/process-records.ts';
import { createProcesses, markVariable, type Recovered } from '../../../../src/k8s/embedded/runtime/processes.ts';
import { runs } from './world.ts';

let folder: string;
const children: ChildProcess[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-processes-'));
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

const records = () => openProcessRecords(join(folder, 'processes'));
/** A server on the data folder. */
const server = () => createProcesses({ records: records(), clock: systemClock });
const start = (podUid = 'pod-1') =>
  server().start({
    podUid,
    container: 'main',
    run: 2,
    command: ['/bin/sleep', '1000'],
    env: {},
    cwd: undefined,
    logPath: join(folder, 'log'),
  });
const byPod = (recovered: readonly Recovered[], podUid: string) =>
  recovered.find(({ record }) => record.podUid === podUid);

/** A program with the mark of a record, as a server leaves it that was killed right after the start. */
async function orphan(mark: string): Promise<number> {
  const child = spawn('/bin/sleep', ['1000'], { env: { [markVariable]: mark }, detached: true, stdio: 'ignore' });
  children.push(child);
  await once(child, 'spawn');
  return child.pid ?? 0;
}
const record = (id: string, more: Partial<ProcessRecord> = {}): ProcessRecord => ({
  id,
  podUid: 'pod-1',
  container: 'main',
  run: 0,
  startedAt: 1,
  ...more,
});

describe('what an earlier server left', () => {
  it('is found again: the same program, with its run', async () => {
    const instance = await start();
    const [pid = 0] = instance.pids();
    const found = byPod(server().recover(), 'pod-1');
    expect(found?.record).toMatchObject({ id: instance.id, container: 'main', run: 2, process: { pid } });
    expect(found?.instance?.pids()).toEqual([pid]);
    found?.instance?.terminate();
    // Whose end nobody saw has no exit code that we could know.
    expect((await found?.instance?.ended)?.reason).toBe('Unknown');
    expect(await instance.ended).toMatchObject({ code: 143 });
    expect(records().all()).toEqual([]);
  });

  it('is found by its mark where the server was killed before it wrote the pid down', async () => {
    const own = records();
    own.write(record('r1'));
    const pid = await orphan(`${own.owner}/r1`);
    const found = byPod(server().recover(), 'pod-1');
    expect(found?.instance?.pids()).toEqual([pid]);
    expect(records().all()).toMatchObject([{ id: 'r1', process: { pid, startTime: startTimeOf(pid) } }]);
  });

  it('is told when it ended meanwhile', async () => {
    const instance = await start();
    const [pid = 0] = instance.pids();
    records().write(record('gone', { podUid: 'pod-2', process: { pid: 2 ** 22 - 1, startTime: 'x' } }));
    const recovered = server().recover();
    expect(byPod(recovered, 'pod-2')).toEqual({ record: expect.objectContaining({ id: 'gone' }) });
    expect(
      records()
        .all()
        .map(({ id }) => id),
    ).toEqual([instance.id]);
    process.kill(pid, 'SIGKILL');
    await instance.ended;
  });

  it('is never another program that has its pid now', async () => {
    const pid = await orphan('somebody/else');
    records().write(record('old', { process: { pid, startTime: 'an earlier boot/1' } }));
    const found = byPod(server().recover(), 'pod-1');
    expect(found?.instance).toBeUndefined();
    expect(runs(pid)).toBe(true);
  });

  it('is ended where no record knows it, and left alone where it belongs to another data folder', async () => {
    const pid = await orphan(`${records().owner}/unknown`);
    const foreign = await orphan('another-folder/unknown');
    const [child] = children;
    const exited = child && once(child, 'exit');
    expect(server().recover()).toEqual([]);
    expect(await exited).toEqual([null, 'SIGKILL']);
    expect([runs(pid), runs(foreign)]).toEqual([false, true]);
  });
});
