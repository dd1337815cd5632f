import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect, it } from 'vitest';
import { type RunsServer, startRunsServer } from '../../modules/runs/surface.ts';
import { freePorts } from '../../ports.ts';

const runProgram = 'mutation ($input: RunServiceInput!) { runService(input: $input) { manifests } }';
const listen = (host: string) => `require('node:http').createServer().listen(Number(process.env.PORT), ${host})`;

/** Runs a program; resolves with the run's message once it says this. */
async function messageOf(server: RunsServer, name: string, source: string, port: number, words: RegExp) {
  const program = { command: [process.execPath, '-e', source] };
  await server.data(runProgram, { input: { name, process: program, ports: [{ port }] } });
  const { status } = await server.until(name, (run) => words.test(run.status.message ?? ''));
  return status.message;
}

it('a run says that its program listens elsewhere, or that somebody else has its port', async () => {
  await using server = await startRunsServer();
  const [free = 0] = await freePorts(1);
  const blocker = createServer().listen(0, '0.0.0.0');
  await once(blocker, 'listening');
  const { port } = blocker.address() as { port: number };
  const [elsewhere, taken] = await Promise.all([
    messageOf(server, 'elsewhere', listen(`'127.0.0.1'`), free, /listens on/),
    messageOf(server, 'taken', listen('process.env.HOST'), port, /is taken/),
  ]);
  blocker.close();
  expect(elsewhere).toMatch(
    new RegExp(`listens on 127\\.0\\.0\\.1:${free}, not on \\$\\(HOST\\)=127\\.[\\d.]+ and \\$\\(PORT\\)=${free}`),
  );
  expect(taken).toContain(`port ${port} is taken: another program listens on 0.0.0.0:${port}`);
});
