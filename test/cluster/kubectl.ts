import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';

export interface Result {
  code: number;
  output: string;
  error: string;
}

/** Calls of one kubectl on one cluster, in one namespace. */
export interface Kubectl {
  /** `input` goes to its standard input. */
  run(args: string, input?: string): Promise<Result>;
  /** The output of a call that must go well. */
  output(args: string, input?: string): Promise<string>;
  /** Lines of a call that lasts, until it is disposed. */
  follow(args: string): AsyncDisposable & { next(): Promise<string | undefined> };
}

export function createKubectl(program: string, kubeconfig: string, namespace: string): Kubectl {
  const start = (args: string) =>
    // Quoted parts stay together, as in a shell.
    spawn(
      program,
      ['--namespace', namespace, ...[...args.matchAll(/'([^']*)'|(\S+)/g)].map((part) => part[1] ?? part[2] ?? '')],
      {
        // Its discovery cache is its own, so that clusters on one address are not mixed up.
        env: { PATH: process.env['PATH'] ?? '', KUBECONFIG: kubeconfig, KUBECACHEDIR: `${kubeconfig}.cache` },
      },
    );
  const run = async (args: string, input = ''): Promise<Result> => {
    const child = start(args);
    child.stdin.end(input);
    const [output, error] = await Promise.all([text(child.stdout), text(child.stderr)]);
    const code = child.exitCode ?? ((await once(child, 'exit')) as [number])[0];
    return { code, output, error };
  };
  return {
    run,
    async output(args, input) {
      const { code, output, error } = await run(args, input);
      if (code !== 0) throw new Error(`kubectl ${args} ended with ${code}: ${error}`);
      return output;
    },
    follow(args) {
      const child = start(args);
      const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
      return {
        async next() {
          const line = await lines.next();
          return line.done ? undefined : line.value;
        },
        async [Symbol.asyncDispose]() {
          const ended = once(child, 'exit');
          child.kill();
          await ended;
        },
      };
    },
  };
}
