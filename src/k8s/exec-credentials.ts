import { spawn } from 'node:child_process';
import { text as readText } from 'node:stream/consumers';
import { resolve } from 'node:path';
import { BootError } from '../boot-error.ts';
import type { Clock } from '../clock.ts';
import { noCredentials } from './api-error.ts';
import type { TlsOptions } from './tls.ts';
import type { Credentials } from './transport.ts';

/** What a kubeconfig's user proves who we are with. */
export interface ClientIdentity {
  credentials?: Credentials;
  /** A client certificate that does not come from the kubeconfig itself. */
  certificate?: () => Promise<Pick<TlsOptions, 'cert' | 'key'>>;
}

export interface ExecOptions {
  /** The user's name in the kubeconfig. */
  user: string;
  /** The kubeconfig's `exec`. */
  exec: unknown;
  /** A command with a slash in it is relative to this folder. */
  folder: string;
  /** What a program with `provideClusterInfo` is told of the cluster. */
  cluster: () => Promise<ExecCluster>;
  environment: Readonly<Record<string, string | undefined>>;
  clock: Clock;
}

/** Cluster of client.authentication.k8s.io. */
export interface ExecCluster {
  server: string;
  'tls-server-name'?: string | undefined;
  'certificate-authority-data'?: string | undefined;
  /** With its credentials. */
  'proxy-url'?: string | undefined;
  /** The cluster's extension of the name `client.authentication.k8s.io/exec`. */
  config?: unknown;
}

/** ExecCredential's status, of client.authentication.k8s.io. */
interface ExecStatus {
  token?: string;
  clientCertificateData?: string;
  clientKeyData?: string;
  expirationTimestamp?: string;
}

interface Kept {
  status: Promise<ExecStatus>;
  /** Infinity until the program has answered. */
  until: number;
  /** It is used, whatever is wrong with it. */
  young: boolean;
  /** The program did not fail, and the server has not refused what it gave. */
  good: boolean;
}

const versions = ['client.authentication.k8s.io/v1', 'client.authentication.k8s.io/v1beta1'];
const timeoutMs = 60_000;
/** A credential that is about to expire is not used any more. */
const marginMs = 10_000;
/** A new one is used for so long at least: another would be refused, or expired by our clock, as well. */
const leastMs = 10_000;
/** A program that fails is not run again at once. */
const pauseMs = 2_000;

/**
 * Credentials from a program, as kubectl gets them: kept until they expire or the server refuses them, though the program is
 * not run for each refusal. It is never asked by two at once, and has nobody to ask in turn (no terminal).
 */
export function execCredentials(options: ExecOptions): ClientIdentity {
  const { clock } = options;
  const command = commandOf(options);
  let kept: Kept | undefined;
  let generation = 0;
  let certificate: string | undefined;

  function status(): Promise<ExecStatus> {
    if (kept && (kept.young || (kept.good && clock.now() < kept.until))) return kept.status;
    const own: Kept = { status: run(command), until: Number.POSITIVE_INFINITY, young: true, good: true };
    kept = own;
    // By the timer: the clock may be set meanwhile.
    const youngFor = (ms: number) => void clock.after(ms, () => (own.young = false));
    own.status.then(
      ({ expirationTimestamp, clientCertificateData }) => {
        youngFor(leastMs);
        if (expirationTimestamp) own.until = Date.parse(expirationTimestamp) - marginMs;
        if (clientCertificateData !== certificate) generation += 1;
        certificate = clientCertificateData;
      },
      () => {
        youngFor(pauseMs);
        own.good = false;
      },
    );
    return own.status;
  }

  return {
    credentials: {
      get generation() {
        return generation;
      },
      async authorization() {
        const { token } = await status();
        return token ? `Bearer ${token}` : null;
      },
      refused(authorization) {
        const own = kept;
        // Another request may have got a new one meanwhile.
        void own?.status.then(
          ({ token }) => {
            if ((token ? `Bearer ${token}` : null) === authorization) own.good = false;
          },
          () => {},
        );
      },
    },
    async certificate() {
      const { clientCertificateData: cert, clientKeyData: key } = await status();
      return cert && key ? { cert, key } : {};
    },
  };
}

interface Command {
  user: string;
  program: string;
  args: string[];
  environment: Record<string, string | undefined>;
  /** The ExecCredential that it is asked with. */
  info: () => Promise<object>;
}

function commandOf({ user, exec, folder, cluster, environment }: ExecOptions): Command {
  const { apiVersion, command, args, env, interactiveMode, provideClusterInfo } = Object(exec) as Record<
    string,
    unknown
  >;
  if (typeof command !== 'string' || command === '') throw refused(user, 'names no command', 'Add it.');
  if (!versions.includes(String(apiVersion))) {
    throw refused(user, `has the apiVersion ${JSON.stringify(apiVersion)}`, `Use ${versions.join(' or ')}.`);
  }
  if (interactiveMode === 'Always') {
    throw refused(user, 'needs a terminal (interactiveMode: Always)', 'Use a user that signs in without one.');
  }
  const variables = (Array.isArray(env) ? env : []).map(({ name, value }) => [String(name), String(value)] as const);
  const told = provideClusterInfo === true;
  const spec = async () => ({ interactive: false, ...(told && { cluster: await cluster() }) });
  return {
    user,
    program: command.includes('/') ? resolve(folder, command) : command,
    args: Array.isArray(args) ? args.map(String) : [],
    environment: { ...environment, ...Object.fromEntries(variables) },
    info: async () => ({ apiVersion, kind: 'ExecCredential', spec: await spec() }),
  };
}

async function run({ user, program, args, environment, info }: Command): Promise<ExecStatus> {
  try {
    const env = { ...environment, KUBERNETES_EXEC_INFO: JSON.stringify(await info()) };
    const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'ignore'], timeout: timeoutMs });
    const ended = new Promise<number | string>((done, fail) => {
      child.once('error', fail);
      child.once('close', (code, signal) => done(code ?? signal ?? 'nothing'));
    });
    const [end, text] = await Promise.all([ended, readText(child.stdout)]);
    if (end !== 0) throw new Error(`it ended with ${end}`);
    return statusOf(text);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const message = `the program that gets the credentials of "${user}" failed: ${why}`;
    throw noCredentials(message, error);
  }
}

function statusOf(text: string): ExecStatus {
  let answer: { kind?: unknown; status?: ExecStatus } | null = null;
  try {
    answer = JSON.parse(text);
  } catch {
    // The parser would quote the text, which is a secret.
  }
  const status = answer?.kind === 'ExecCredential' ? answer.status : undefined;
  if (!status?.token && !(status?.clientCertificateData && status.clientKeyData)) {
    throw new Error('it gave no ExecCredential with a token or a client certificate');
  }
  return status;
}

function refused(user: string, what: string, remedy: string): BootError {
  const message = `The exec of the user "${user}" of the kubeconfig ${what}.`;
  return new BootError([{ module: 'server', field: 'SLIPWAY_CLUSTER', message, remedy }]);
}
