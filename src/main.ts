import { parseArgs } from 'node:util';
import { BootError } from './boot-error.ts';
import { readSettings } from './config.ts';
import { createLog } from './log.ts';
import { printSchemaCommand } from './commands/schema.ts';
import { serve } from './commands/serve.ts';

// The only file that touches process.*: flags, environment, signals, exit codes.

/** sysexits.h: the configuration is wrong. */
const exitConfig = 78;
/** Kubernetes kills after 30 s. */
const longestStopMs = 25_000;
const usage = `slipway [command] [--config FILE]

  serve    start the server (default)
  schema   print the GraphQL schema of the enabled modules

  --config FILE   YAML file: modules, then one key for each module (SLIPWAY_CONFIG)
  --help          this text
`;

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { config: { type: 'string' }, help: { type: 'boolean' } },
  });
  if (values.help) return void process.stdout.write(usage);
  const environment = { ...process.env, ...(values.config && { SLIPWAY_CONFIG: values.config }) };
  const [command = 'serve'] = positionals;
  if (command === 'schema') return void process.stdout.write(await printSchemaCommand(environment));
  if (command !== 'serve') {
    process.stderr.write(`slipway: there is no command "${command}".\n\n${usage}`);
    process.exitCode = exitConfig;
    return;
  }
  const settings = readSettings(environment);
  const log = createLog(settings.SLIPWAY_LOG_LEVEL);
  for (const event of ['unhandledRejection', 'uncaughtException']) {
    process.on(event, (error) => {
      log.fatal({ err: error }, event);
      process.exit(1);
    });
  }
  let server: { stop(): Promise<void> } | undefined;
  let stopping = false;
  const stop = (signal: string): void => {
    if (stopping || !server) process.exit(1);
    stopping = true;
    log.info({ signal }, 'stopping');
    setTimeout(() => {
      log.error('it takes too long to stop: what is left is cut');
      process.exit(1);
    }, longestStopMs).unref();
    server.stop().then(
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
  server = await serve(settings, environment, log);
}

try {
  await main();
} catch (error) {
  if (error instanceof BootError) {
    process.stderr.write(
      `Slipway can't start:\n${error.problems.map((_, i) => `  - ${error.message.split('\n')[i]}`).join('\n')}\n`,
    );
    process.exit(exitConfig);
  }
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exit(1);
}
