// How soon what a service streams is with the caller, how soon a service learns that its caller has gone, and how soon a
// call too many is turned away.
import { once } from 'node:events';
import { type IncomingMessage, type ServerResponse, createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocket } from 'ws';
import { type Figure, ms, quantile, report, scaled } from './rig/figures.ts';
import { address, play } from './rig/played.ts';
import { startBenchServer } from './rig/server.ts';

const times = scaled(200);
/** A call is under way until it is recorded: when the disk is slow there are some more than one would think. */
const calls = 64;
const json = { 'content-type': 'application/json' };

const stream = `subscription ($input: InvokeServiceInput!) { invokeServiceStream(input: $input) {
  text final invocation { outcome } } }`;
const call = 'mutation ($input: InvokeServiceInput!) { invokeService(input: $input) { invocation { outcome } } }';

/** A service in this process, so that both ends have the same clock. It sends a token when it is told, and never ends. */
async function startService() {
  const waiting: ((response: ServerResponse) => void)[] = [];
  const server = createServer((asked, response) => {
    if (asked.url === '/ready') return void response.end('yes');
    response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
    waiting.shift()?.(response);
  });
  server.listen(0, address);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    /** The next request. */
    next: () => new Promise<ServerResponse>((resolve) => waiting.push(resolve)),
    stop: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** A caller: `text` is told what comes, and `leave` goes away in the middle of it. */
type Caller = (url: string, id: string, text: (text: string) => void) => { leave: () => void };

const post =
  (query: string, accept: string): Caller =>
  (url, id, text) => {
    const sent = request(url, { method: 'POST', agent: false, headers: { ...json, accept } });
    sent.on('error', () => undefined);
    sent.end(JSON.stringify({ query, variables: { input: { id } } }));
    sent.once('response', (answer: IncomingMessage) => {
      answer
        .setEncoding('utf8')
        .on('data', text)
        .on('error', () => undefined);
    });
    return { leave: () => sent.destroy() };
  };
const webSocket =
  (end: (socket: WebSocket) => void): Caller =>
  (url, id, text) => {
    const socket = new WebSocket(url.replace('http', 'ws'), 'graphql-transport-ws');
    socket.on('error', () => undefined).once('open', () => socket.send('{"type":"connection_init"}'));
    socket.on('message', (data: Buffer) => {
      const message = data.toString();
      if (!message.includes('connection_ack')) return text(message);
      socket.send(
        JSON.stringify({ id: '1', type: 'subscribe', payload: { query: stream, variables: { input: { id } } } }),
      );
    });
    return { leave: () => end(socket) };
  };
const overSse = post(stream, 'text/event-stream');
const overWebSocket = webSocket((socket) => socket.terminate());

export async function benchInvocationStream(): Promise<Figure[]> {
  const service = await startService();
  await using server = await startBenchServer({ SLIPWAY_INVOKE_MAX_CALLS: `${calls}` });
  const id = await play(server, service.port);

  /** A call that has reached the service. */
  async function begun(caller: Caller, text: (text: string) => void = () => {}) {
    const answered = service.next();
    const refused = Promise.withResolvers<never>();
    const { leave } = caller(server.graphql, id, (part) => {
      if (/"errors"|"type":"error"/.test(part)) refused.reject(new Error(part));
      text(part);
    });
    return { response: await Promise.race([answered, refused.promise]), leave };
  }

  /** From the moment the service writes a token to the moment its caller has it. */
  async function token(caller: Caller): Promise<number> {
    const came = Promise.withResolvers<number>();
    const { response, leave } = await begun(caller, (text) => {
      if (text.includes('a-token')) came.resolve(performance.now());
    });
    const sentAt = performance.now();
    response.write('a-token');
    const took = (await came.promise) - sentAt;
    const closed = once(response, 'close');
    leave();
    await closed;
    return took;
  }

  /** From the moment the caller goes to the moment the service knows. */
  async function abort(caller: Caller): Promise<number> {
    const { response, leave } = await begun(caller);
    const closed = once(response, 'close');
    // Under way for a while: a caller that goes at once may never have been heard.
    await new Promise((resolve) => setTimeout(resolve, 20));
    const leftAt = performance.now();
    leave();
    await closed;
    return performance.now() - leftAt;
  }

  async function refusal(): Promise<number> {
    const began = performance.now();
    const answer = await fetch(server.graphql, {
      ...{ method: 'POST', headers: json },
      body: JSON.stringify({ query: call, variables: { input: { id } } }),
    });
    const text = await answer.text();
    if (!text.includes('RATE_LIMITED')) throw new Error(text);
    return performance.now() - began;
  }

  async function many(measure: () => Promise<number>): Promise<number[]> {
    const all: number[] = [];
    for (let n = 0; n < times; n++) all.push(await measure());
    return all;
  }
  const figure = (what: string, taken: number[], allowed: number): Figure => ({
    what,
    ours: `median ${ms(quantile(taken, 0.5))}, p99 ${ms(quantile(taken, 0.99))}`,
    comparedWith: `allowed: ${ms(allowed)}`,
  });
  const overHttp = post(call, 'application/json');
  const completed = webSocket((socket) => socket.send('{"id":"1","type":"complete"}'));
  const figures = [
    figure('service → caller, a token over SSE', await many(() => token(overSse)), 20),
    figure('service → caller, a token over WebSocket', await many(() => token(overWebSocket)), 20),
    figure('caller goes → service knows, HTTP request', await many(() => abort(overHttp)), 100),
    figure('caller goes → service knows, SSE', await many(() => abort(overSse)), 100),
    figure('caller goes → service knows, WebSocket', await many(() => abort(overWebSocket)), 100),
    figure('caller completes the operation → service knows, WebSocket', await many(() => abort(completed)), 100),
  ];
  const under = Array.from({ length: calls }, () => ({
    arrived: service.next(),
    ...overHttp(server.graphql, id, () => {}),
  }));
  await Promise.all(under.map(({ arrived }) => arrived));
  figures.push(figure(`refusal beside ${calls} calls, which are all there may be`, await many(refusal), 50));
  for (const { leave } of under) leave();
  service.stop();
  return figures;
}

if (import.meta.main) report(await benchInvocationStream());
