// The least that a server can do which makes a call for each request, keeps the answer in a SQLite file before it gives it,
// and writes a line about it: no GraphQL, no caller, no check, no limit. What Slipway does beside it is seen by it.
import { once } from 'node:events';
import { writeSync } from 'node:fs';
import { type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Agent } from 'undici';
import { openSqlite } from '../../src/database.ts';
import { historyTables } from '../../src/modules/invoke/history-tables.ts';

const columns = 16;
const row = `(${Array(columns).fill('?').join(', ')})`;

/** Serves until it is killed. */
export async function serveLeast(origin: string, file: string): Promise<void> {
  const agent = new Agent({ connections: 128 });
  const database = openSqlite(file);
  for (const version of historyTables) await database.exec(version);
  let values: (string | number | null)[] = [];
  let waiting: (() => void)[] = [];
  let lines = '';
  let writing = false;

  /** What has come together is written together. */
  async function write(): Promise<void> {
    writing = true;
    while (waiting.length > 0) {
      await new Promise((resolve) => void setImmediate(resolve));
      const [params, tell, text] = [values, waiting, lines];
      [values, waiting, lines] = [[], [], ''];
      writeSync(1, text);
      await database.run(`INSERT INTO invocations VALUES ${Array(tell.length).fill(row).join(', ')}`, ...params);
      for (const done of tell) done();
    }
    writing = false;
  }

  let sequence = 0;
  async function call(asked: string, response: ServerResponse): Promise<void> {
    const { query, variables } = JSON.parse(asked) as { query: string; variables: { input: { id: string } } };
    const started = Date.now();
    const { statusCode: status, headers, body } = await agent.request({ origin, path: '/', method: 'GET' });
    const text = await body.text();
    const id = `${started.toString(16)}${(sequence++).toString(16).padStart(8, '0')}`;
    const request = JSON.stringify({ headers: [], bodyBytes: 0, port: 8000, length: query.length });
    const record = JSON.stringify({ status, headers, bodyBytes: text.length, truncated: false });
    const timings = JSON.stringify({ totalMs: Date.now() - started });
    const run = variables.input.id;
    values.push(id, 'caller', run, 'run', started, 'COMPLETED', null, null, 1, 'GET', origin);
    values.push(request, record, timings, null, text);
    lines += `${JSON.stringify({ level: 'info', time: new Date(started).toISOString(), run, status, timings })}\n`;
    const stored = new Promise<void>((resolve) => void waiting.push(resolve));
    if (!writing) void write();
    await stored;
    const answer = JSON.stringify({ data: { id, outcome: 'COMPLETED', response: { status, headers, body: text } } });
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(answer) });
    response.end(answer);
  }

  const server = createServer((request, response) => {
    let asked = '';
    request.setEncoding('utf8').on('data', (part: string) => (asked += part));
    request.on('end', () => void call(asked, response).catch(() => response.destroy()));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  process.stdout.write(`http://127.0.0.1:${(server.address() as AddressInfo).port}\n`);
}
