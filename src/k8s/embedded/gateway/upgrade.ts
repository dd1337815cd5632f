import { type IncomingMessage, STATUS_CODES } from 'node:http';
import { type Duplex, pipeline } from 'node:stream';
import type { Dispatch } from './dispatch.ts';
import { type HeaderLines, headerLines } from './headers.ts';
import { openRequest, responseHeaders } from './proxy.ts';

/** Whether a request asks for a WebSocket; other upgrades are ignored, as RFC 9110 allows. */
export function isWebSocketUpgrade(incoming: IncomingMessage): boolean {
  return incoming.headers.upgrade?.toLowerCase() === 'websocket';
}

/** Passes a WebSocket through, behind the same routing and protection as any request. */
export async function forwardUpgrade(
  dispatch: Dispatch,
  incoming: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): Promise<void> {
  // A client that breaks off is seen by its 'close'; without a listener the error would end the process.
  socket.on('error', () => socket.destroy());
  const decision = await dispatch(incoming);
  if (socket.destroyed) return;
  if ('refusal' in decision) {
    const { status, message, headers = [] } = decision.refusal;
    refuse(socket, status, headers, message);
    return;
  }
  const upgrade: HeaderLines = [
    ['Connection', 'Upgrade'],
    ['Upgrade', 'websocket'],
  ];
  const upstream = openRequest(decision.outgoing, false, upgrade);
  socket.once('close', () => upstream.destroy());
  upstream.on('error', () => refuse(socket, 502, [], 'The service could not be reached or broke off.'));
  upstream.on('response', (answered) => {
    answered.resume();
    const headers = responseHeaders(answered, decision.outgoing.responseHeaders);
    refuse(
      socket,
      answered.statusCode ?? 502,
      headers.filter(([name]) => !/^content-/i.test(name)),
      '',
    );
  });
  upstream.on('upgrade', (answered, backend: Duplex, backendHead) => {
    socket.write(responseHead(101, headerLines(answered.rawHeaders)));
    if (backendHead.length > 0) socket.write(backendHead);
    if (head.length > 0) backend.write(head);
    const ended = () => {
      socket.destroy();
      backend.destroy();
    };
    pipeline(socket, backend, ended);
    pipeline(backend, socket, ended);
  });
  upstream.end();
}

function refuse(socket: Duplex, status: number, headers: HeaderLines, message: string): void {
  if (socket.destroyed || socket.writableEnded) return;
  const body = message === '' ? '' : `${message}\n`;
  const lines: HeaderLines = [
    ...headers,
    ['Content-Type', 'text/plain; charset=utf-8'],
    ['Content-Length', String(Buffer.byteLength(body))],
    ['Connection', 'close'],
  ];
  socket.end(responseHead(status, lines) + body);
}

function responseHead(status: number, headers: HeaderLines): string {
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines}\r\n`;
}
