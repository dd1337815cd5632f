import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * A network namespace for Envoy and the Pods, joined to this machine's own by one virtual cable. Kubernetes takes no
 * loopback addresses for endpoints, so Pods get addresses of a range that is set aside for tests (RFC 2544).
 */
export interface TestNetwork {
  readonly name: string;
  /** This machine, as seen from inside. */
  readonly host: string;
  readonly envoy: string;
  /** An address that no Pod has yet. */
  podAddress(): string;
  /** The command line that runs a program inside. */
  inside(program: string, args: readonly string[]): [program: string, args: string[]];
  stop(): Promise<void>;
}

const lastPod = 40;

export async function createTestNetwork(): Promise<TestNetwork> {
  const number = process.pid % 256;
  const name = `slipway-${process.pid}`;
  const cable = `slw${process.pid}`;
  const address = (last: number) => `198.18.${number}.${last}`;
  const ip = async (...args: string[]) => {
    try {
      await run('ip', args);
    } catch (error) {
      const { stderr = '' } = error as { stderr?: string };
      const need = 'Network namespaces need root and the program ip (Debian package iproute2)';
      throw new Error(`${need}: ip ${args.join(' ')}: ${stderr.trim()}`, { cause: error });
    }
  };
  await ip('netns', 'add', name);
  let last = 9;
  const network: TestNetwork = {
    name,
    host: address(1),
    envoy: address(2),
    podAddress() {
      last += 1;
      if (last > lastPod) throw new Error('no address is left for a Pod');
      return address(last);
    },
    inside: (program, args) => ['ip', ['netns', 'exec', name, program, ...args]],
    async stop() {
      // The cable goes with the namespace.
      await ip('netns', 'del', name);
    },
  };
  try {
    await ip('link', 'add', cable, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name);
    await ip('addr', 'add', `${address(1)}/24`, 'dev', cable);
    await ip('link', 'set', cable, 'up');
    await ip('-n', name, 'link', 'set', 'lo', 'up');
    await ip('-n', name, 'link', 'set', 'eth0', 'up');
    // All that may ever be asked for: the address of a Pod is there before the Pod.
    await ip('-n', name, 'addr', 'add', `${address(2)}/24`, 'dev', 'eth0');
    for (let pod = 10; pod <= lastPod; pod++) await ip('-n', name, 'addr', 'add', `${address(pod)}/24`, 'dev', 'eth0');
  } catch (error) {
    await network.stop();
    throw error;
  }
  return network;
}
