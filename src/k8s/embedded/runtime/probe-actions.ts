import { spawn } from 'node:child_process';
import http from 'node:http';
import https from 'node:https';
import { connect } from 'node:net';
import type { Clock } from '../../../clock.ts';
import type { Container, Pod, Probe } from '../../resources.ts';
import { mappedPort } from './ports.ts';

export interface ProbeResult {
  ok: boolean;
  /** In the kubelet's words; empty when ok. */
  message: string;
  /** Nothing listened: the program may still be starting. */
  refused?: boolean;
}

/** Runs a command beside the container's program; undefined where there is none to run it beside. */
export type Exec = { env: Record<string, string>; cwd: string | undefined } | undefined;

export interface ProbeTarget {
  pod: Pod;
  container: Container;
  address: string;
  exec: Exec;
  clock: Clock;
}

const maxOutput = 10 * 1024;
const passed: ProbeResult = { ok: true, message: '' };

function portNumber({ pod, container }: ProbeTarget, port: number | string): number | undefined {
  if (typeof port === 'number') return mappedPort(pod, port);
  const named = container.ports?.find((entry) => entry.name === port)?.containerPort;
  const number = named ?? (/^\d+$/.test(port) ? Number(port) : undefined);
  return number === undefined ? undefined : mappedPort(pod, number);
}

function dialError(address: string, port: number, error: NodeJS.ErrnoException): ProbeResult {
  const words: Record<string, string> = {
    ECONNREFUSED: 'connection refused',
    ECONNRESET: 'connection reset by peer',
    EHOSTUNREACH: 'no route to host',
    ENETUNREACH: 'network is unreachable',
  };
  const cause = words[error.code ?? ''] ?? error.message;
  const message = `dial tcp ${address}:${port}: connect: ${cause}`;
  return { ok: false, message, ...(error.code === 'ECONNREFUSED' && { refused: true }) };
}

function tcpProbe(address: string, port: number, signal: AbortSignal): Promise<ProbeResult> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port });
    const finish = (result: ProbeResult) => {
      socket.destroy();
      resolve(result);
    };
    signal.addEventListener('abort', () => finish({ ok: false, message: `dial tcp ${address}:${port}: i/o timeout` }), {
      once: true,
    });
    socket.once('connect', () => finish(passed));
    socket.once('error', (error) => finish(dialError(address, port, error)));
  });
}

function httpProbe(
  address: string,
  port: number,
  action: NonNullable<Probe['httpGet']>,
  signal: AbortSignal,
): Promise<ProbeResult> {
  const secure = action.scheme?.toUpperCase() === 'HTTPS';
  const path = action.path?.startsWith('/') ? action.path : `/${action.path ?? ''}`;
  const url = `${secure ? 'https' : 'http'}://${address}:${port}${path}`;
  const headers: Record<string, string> = { 'user-agent': 'kube-probe/1.36', accept: '*/*', connection: 'close' };
  for (const { name, value } of action.httpHeaders ?? []) headers[name.toLowerCase()] = value;
  return new Promise((resolve) => {
    const options = {
      host: address,
      port,
      path,
      headers,
      signal,
      agent: false,
      method: 'GET',
      rejectUnauthorized: false,
    };
    const request = (secure ? https : http).request(options, (response) => {
      const status = response.statusCode ?? 0;
      response.on('error', () => {});
      response.destroy();
      if (status >= 200 && status < 400) resolve(passed);
      else resolve({ ok: false, message: `HTTP probe failed with statuscode: ${status}` });
    });
    request.on('error', (error: NodeJS.ErrnoException) => {
      const late = 'context deadline exceeded (Client.Timeout exceeded while awaiting headers)';
      if (signal.aborted) return resolve({ ok: false, message: `Get "${url}": ${late}` });
      const result = dialError(address, port, error);
      const cause = error.syscall === 'connect' ? result.message : error.message;
      resolve({ ...result, message: `Get "${url}": ${cause}` });
    });
    request.end();
  });
}

function execProbe(
  command: readonly string[],
  { exec, container }: ProbeTarget,
  signal: AbortSignal,
): Promise<ProbeResult> {
  const [program = '', ...args] = command;
  if (!exec) return Promise.resolve({ ok: false, message: `container "${container.name}" runs no commands` });
  return new Promise((resolve) => {
    let output = '';
    const child = spawn(program, args, {
      env: exec.env,
      ...(exec.cwd !== undefined && { cwd: exec.cwd }),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const collect = (chunk: Buffer) => {
      output = (output + chunk.toString('utf8')).slice(0, maxOutput);
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    signal.addEventListener(
      'abort',
      () => {
        child.kill('SIGKILL');
        resolve({ ok: false, message: `command timed out: "${command.join(' ')}"` });
      },
      { once: true },
    );
    child.once('error', (error) => resolve({ ok: false, message: `cannot run "${program}": ${error.message}` }));
    child.once('close', (code) => resolve(code === 0 ? passed : { ok: false, message: output.trimEnd() }));
  });
}

function act(probe: Probe, target: ProbeTarget, signal: AbortSignal): Promise<ProbeResult> {
  const { httpGet, tcpSocket, exec } = probe;
  if (exec) return execProbe(exec.command, target, signal);
  const action = httpGet ?? tcpSocket;
  if (!action) return Promise.resolve({ ok: false, message: 'this kind of probe is not supported' });
  const port = portNumber(target, action.port);
  if (port === undefined) return Promise.resolve({ ok: false, message: `couldn't find port: ${action.port}` });
  return httpGet ? httpProbe(target.address, port, httpGet, signal) : tcpProbe(target.address, port, signal);
}

/** Does what the probe says, once, within its time limit; `signal` gives it up. */
export async function runProbe(probe: Probe, target: ProbeTarget, signal: AbortSignal): Promise<ProbeResult> {
  const limit = new AbortController();
  const cancel = target.clock.after((probe.timeoutSeconds ?? 1) * 1000, () => limit.abort());
  try {
    return await act(probe, target, AbortSignal.any([signal, limit.signal]));
  } catch (error) {
    return { ok: false, message: error instanceof Error ? error.message : String(error) };
  } finally {
    cancel();
  }
}
