// What answers cost that are small until they are decoded: how far each is read, and the resident memory that one of them,
// and 20 at once, add to a server that has so far called services with small answers, beside what large ones add that are
// not compressed. On Linux.
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip, zstdCompress } from 'node:zlib';
import { type Figure, ms, quantile, report, round, scaled } from './rig/figures.ts';
import { address, play } from './rig/played.ts';
import { type BenchServer, startBenchServer } from './rig/server.ts';

const decodedBytes = scaled(200_000_000);
const rounds = 5;
const warmUps = scaled(50);
const atOnce = 20;
const mebibyte = 1_048_576;
const call = `mutation ($input: InvokeServiceInput!) { invokeService(input: $input) { invocation {
  outcome response { bodyBytes truncated } } } }`;

interface Bomb {
  what: string;
  encoding: string;
  body: Buffer;
}

async function makeBombs(): Promise<Bomb[]> {
  const bytes = Buffer.alloc(decodedBytes, 'a');
  const br = (window: number) => ({
    params: { [constants.BROTLI_PARAM_QUALITY]: 5, [constants.BROTLI_PARAM_LGWIN]: window },
  });
  return [
    { what: 'gzip', encoding: 'gzip', body: await promisify(gzip)(bytes) },
    { what: 'zstd', encoding: 'zstd', body: await promisify(zstdCompress)(bytes) },
    { what: 'br with its usual window', encoding: 'br', body: await promisify(brotliCompress)(bytes, br(22)) },
    { what: 'br with its largest window', encoding: 'br', body: await promisify(brotliCompress)(bytes, br(24)) },
  ];
}

/** `/0` and so on are bombs, `/whole` is as much as may be read of one, anything else is 4 KiB. */
async function startService(bombs: readonly Bomb[]) {
  const [whole, small] = [mebibyte, 4096].map((length) => Buffer.alloc(length, 'a'));
  const service = createServer((asked, response) => {
    const path = asked.url?.slice(1) ?? '';
    const bomb = bombs[Number(path)];
    const body = bomb?.body ?? (path === 'whole' ? whole : small);
    response.on('error', () => undefined);
    response.writeHead(200, {
      ...{ 'content-type': 'text/plain', 'content-length': body?.length ?? 0 },
      ...(bomb && { 'content-encoding': bomb.encoding }),
    });
    response.end(body);
  }).listen(0, address);
  await once(service, 'listening');
  return service;
}

interface Answer {
  data: { invokeService: { invocation: { outcome: string; response: { bodyBytes: number; truncated: boolean } } } };
}

/** How the calls end, and how long the last of them takes. */
async function callAtOnce({ graphql }: BenchServer, id: string, path: string, count: number) {
  const began = performance.now();
  const body = JSON.stringify({ query: call, variables: { input: { id, path } } });
  const ends = await Promise.all(
    Array.from({ length: count }, async () => {
      const headers = { 'content-type': 'application/json' };
      const answer = (await (await fetch(graphql, { method: 'POST', headers, body })).json()) as Answer;
      const { outcome, response } = answer.data.invokeService.invocation;
      return `${response.bodyBytes} bytes, ${outcome}${response.truncated ? ', truncated' : ''}`;
    }),
  );
  return { ends, took: performance.now() - began };
}

/** What `work` adds to the resident memory of a server at most, in MiB. */
async function growth({ pid }: BenchServer, work: () => Promise<unknown>): Promise<number> {
  const read = async (name: string) => {
    const status = await readFile(`/proc/${pid}/status`, 'utf8');
    return Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1]) / 1024;
  };
  // The kernel keeps the most there ever was, until it is told to forget it.
  await writeFile(`/proc/${pid}/clear_refs`, '5');
  const before = await read('VmRSS');
  await work();
  return (await read('VmHWM')) - before;
}

/** Of one kind of answer, on a server of its own. */
async function measure(what: string, path: string, port: number, isBomb: boolean): Promise<Figure[]> {
  // As the program is started elsewhere: how much the collector leaves lying about depends on it.
  await using server = await startBenchServer({ NODE_OPTIONS: '--max-semi-space-size=8' });
  const id = await play(server, port);
  for (let n = 0; n < warmUps; n++) await callAtOnce(server, id, '/small', atOnce);
  const all: string[] = [];
  const figure = async (how: string, count: number, allowed: string): Promise<Figure> => {
    const grown: number[] = [];
    const times: number[] = [];
    for (let n = 0; n < rounds; n++) {
      const work = async () => {
        const { ends, took } = await callAtOnce(server, id, path, count);
        all.push(...ends);
        times.push(took);
      };
      grown.push(await growth(server, work));
    }
    const [first = 0, ...later] = grown;
    return {
      what: `${what}, ${how}: resident memory`,
      ours: `first +${round(first)} MiB, later at most +${round(Math.max(...later))} MiB; median ${ms(quantile(times, 0.5))}`,
      ...(isBomb && { comparedWith: `allowed: +${allowed} MiB` }),
    };
  };
  const figures = [await figure('one', 1, '4'), await figure(`${atOnce} at once`, atOnce, '64')];
  const kinds = [...new Set(all)].map((end) => `${all.filter((other) => other === end).length} × ${end}`);
  return [...figures, { what: `${what}: read`, ours: kinds.join('; ') }];
}

export async function benchBombs(): Promise<Figure[]> {
  const bombs = await makeBombs();
  const service = await startService(bombs);
  const { port } = service.address() as AddressInfo;
  const figures = await measure('1 MiB that is not compressed', '/whole', port, false);
  for (const [index, { what, body }] of bombs.entries()) {
    const sizes = `${round(decodedBytes / 1e6)} MB in ${round(body.length / 1e3)} kB of ${what}`;
    figures.push(...(await measure(sizes, `/${index}`, port, true)));
  }
  service.close();
  service.closeAllConnections();
  return figures;
}

if (import.meta.main) report(await benchBombs());
