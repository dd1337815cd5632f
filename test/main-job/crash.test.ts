import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { main, runCommand } from '../commands/process.ts';
import { type ApiClient, followHealth } from './client.ts';
import { answered, createMachine, type Machine } from './server.ts';

// One machine for all: each test kills the server that the one before left, with its run well and its program running.
let machine: Machine;
let api: ApiClient;
let id: string;
let pid: number;
const callForPid = async () => answered(await machine.call(api, id)).pid;
beforeAll(async () => {
  machine = await createMachine();
  api = await machine.start();
  id = await machine.run(api, 'hello');
});
beforeEach(async () => {
  pid = await callForPid();
  await machine.forgetStarts();
});
afterAll(() => machine[Symbol.asyncDispose]());

const history = '{ invocations(first: 2) { nodes { serviceRunId request { method } response { status } } } }';
interface History {
  invocations: { nodes: { serviceRunId: string; request: { method: string }; response: { status: number } }[] };
}

/** Starts a server again; resolves once the run is well. */
async function startAgain(): Promise<void> {
  api = await machine.start();
  await followHealth(api.healthOverWebSocket(), 'hello').until('HEALTHY');
}

describe('a server that was killed', () => {
  it('right after the start of a program, before it wrote the pid down: the program is taken over', async () => {
    await machine.end('SIGKILL');
    for (const { process: _, ...record } of machine.records().all()) machine.records().write(record);
    await startAgain();
    expect([machine.programs(), await machine.started()]).toEqual([[pid], []]);
    expect(await callForPid()).toBe(pid);
  });

  it('whose notes of a program are lost: it is ended before another one starts', async () => {
    await machine.end('SIGKILL');
    for (const record of machine.records().all()) machine.records().remove(record.id);
    await startAgain();
    const [next] = await machine.started();
    expect(next).not.toBe(pid);
    expect([machine.programs(), await machine.started()]).toEqual([[next], [next]]);
    expect(await callForPid()).toBe(next);
  });

  it('whose program ended meanwhile: it is started again, and that is shown', async () => {
    await machine.end('SIGKILL');
    process.kill(pid, 'SIGKILL');
    await startAgain();
    expect(await machine.started()).toEqual(machine.programs());
    const pods = '{ serviceRuns { nodes { pods { containers { restartCount } } } } }';
    const { serviceRuns } = await api.data<{ serviceRuns: { nodes: unknown[] } }>(pods);
    expect(serviceRuns.nodes).toEqual([{ pods: [{ containers: [{ restartCount: 1 }] }] }]);
  });

  it('leaves programs running; the next one has them, the runs and the history', async () => {
    await machine.end('SIGKILL');
    expect(machine.programs()).toEqual([pid]);
    await startAgain();
    expect(answered(await machine.call(api, id, { method: 'POST' })).pid).toBe(pid);
    expect(machine.programs()).toEqual([pid]);
    expect(await machine.started()).toEqual([]);
    const { invocations } = await api.data<History>(history);
    expect(invocations.nodes).toEqual([
      { serviceRunId: id, request: { method: 'POST' }, response: { status: 200 } },
      { serviceRunId: id, request: { method: 'GET' }, response: { status: 200 } },
    ]);
  });
});

describe('a second server', () => {
  it('on the same data folder refuses to start, and the first one goes on', async () => {
    const { code, stderr } = await runCommand([], machine.environment());
    expect(code).toBe(78);
    expect(stderr).toContain(machine.dataDir);
    expect(stderr).toContain('SLIPWAY_DATA_DIR');
    expect([machine.programs(), await callForPid()]).toEqual([[pid], pid]);
  });
});

describe('SIGTERM', () => {
  it('to a server that is still starting ends what it has taken over', async () => {
    await machine.end('SIGKILL');
    const child = spawn(process.execPath, [main], { env: machine.environment(), stdio: ['ignore', 'pipe', 'inherit'] });
    // The first line comes before the ready line.
    await once(child.stdout, 'data');
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
    expect([machine.programs(), machine.records().all()]).toEqual([[], []]);
    await startAgain();
  });

  it('ends the programs, also those that were taken over, and leaves nothing behind', async () => {
    expect(machine.programs()).toEqual([pid]);
    expect(await machine.end('SIGTERM')).toBe(0);
    expect([machine.programs(), machine.records().all()]).toEqual([[], []]);
  });
});
