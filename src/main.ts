import { parseArgs } from 'node:util';
import { BootError } from './boot-error.ts';
import { type Environment, readSettings } from './config.ts';
import { createLog } from './log.ts';
import { checkCluster } from './commands/check.ts';
import { printManifests } from './commands/manifests.ts';
import { printSchemaCommand } from './commands/schema.ts';
import { serve } from './commands/serve.ts';

// The only file that touches process.*: flags, environment, signals, exit codes.

/** sysexits.h: the configuration is wrong. */
const exitConfig = 78;
/** Kubernetes kills after 30 s. */
const longestStopMs = 25_000;
const usage = `slipway [command] [--config FILE]

  serve       start the server (default)
  schema      print the GraphQL schema of the enabled modules
  manifests   print the objects that run this configuration on a cluster, for kubectl apply
  check       tell which rights, kinds and Gateways are missing on the cluster

  --config FILE            YAML file: modules, then one key for each module (SLIPWAY_CONFIG)
  --help                   this text

  manifests:
  --image IMAGE            default: slipway with this version
  --namespace NAMESPACE    where it will run; default: slipway
  --replicas N             default: 2

  check:
  --as USER                whose rights, such as system:serviceaccount:slipway:slipway; default: our own
`;

const options = {
  config: { type: 'string' },
  help: { type: 'boolean' },
  image: { type: 'string' },
  namespace: { type: 'string' },
  replicas: { type: 'string' },
  as: { type: 'string' },
} as const;

let failure = "Slipway can't start";

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({ allowPositionals: true, options });
  if (values.help) return void process.stdout.write(usage);
  const environment = { ...process.env, ...(values.config && { SLIPWAY_CONFIG: values.config }) };
  const [command = 'serve'] = positionals;
  if (command !== 'serve') failure = 'The configuration has problems';
  switch (command) {
    case 'serve':
      return run(environment);
    case 'schema':
      return void process.stdout.write(await printSchemaCommand(environment));
    case 'manifests':
      return void process.stdout.write(await printManifests(environment, values));
    case 'check': {
      const { text, problems } = await checkCluster(environment, values);
      process.stdout.write(text);
      process.exitCode = problems === 0 ? 0 : 1;
      return;
    }
    default:
      process.stderr.write(`slipway: there is no command "${command}".\n\n${usage}`);
      process.exitCode = exitConfig;
  }
}

async function run(environment: Environment): Promise<void> {
  const settings = readSettings(environment);
  const log = createLog(settings.SLIPWAY_LOG_LEVEL);
  // What is logged in the last turn is still to be written.
  process.on('exit', () => log.flush());
  for (const event of ['unhandledRejection', 'uncaughtException']) {
    process.on(event, (error) => {
      log.fatal({ err: error }, event);
      process.exit(1);
    });
  }
  let starting: ReturnType<typeof serve> | undefined;
  let stopping = false;
  const stop = (signal: string): void => {
    if (stopping || !starting) process.exit(1);
    stopping = true;
    log.info({ signal }, 'stopping');
    setTimeout(() => {
      log.error('it takes too long to stop: what is left is cut');
      process.exit(1);
    }, longestStopMs).unref();
    // What is still starting is waited for: programs that it has taken over or begun are ended too.
    const ended = starting.then((server) => server.stop());
    ended.then(
      () => process.exit(0),
      (error: unknown) => {
        log.error({ err: error }, 'failed to stop');
        process.exit(1);
      },
    );
  };
  // Before the start: as the first process of a container we would not even be ended by a signal we don't handle.
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  starting = serve(settings, environment, log);
  await starting;
}

try {
  await main();
} catch (error) {
  if (error instanceof BootError) {
    const problems = error.problems.map((_, index) => `  - ${error.message.split('\n')[index]}`);
    process.stderr.write(`${[`${failure}:`, ...problems].join('\n')}\n`);
    process.exit(exitConfig);
  }
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exit(1);
}
