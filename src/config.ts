import { readFile } from 'node:fs/promises';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import { BootError, type Problem } from './boot-error.ts';
import type { AnyModule } from './module.ts';
import { hostName } from './http-guard.ts';
import { environmentName } from './registry.ts';
import { requestLimits } from './schema/limits.ts';
import { socketLimits } from './server/socket-limits.ts';

const port = (value: number, description: string) =>
  z.coerce.number().int().min(0).max(65535).default(value).describe(description);
const count = (value: number, description: string) =>
  z.coerce.number().int().min(1).default(value).describe(description);
const boolean = z.stringbool({ truthy: ['true', '1', 'yes', 'on'], falsy: ['false', '0', 'no', 'off'] });
const textList = z.string().transform((text) =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter(Boolean),
);

/** `https://console.example.com`: what a browser's Origin header says, and nothing that stands for several. */
const origin = z
  .string()
  .refine((text) => URL.canParse(text) && /^https?:/.test(text) && new URL(text).origin === text, {
    error: ({ input }) => `"${String(input)}" is no origin such as https://console.example.com`,
  });
const host = z
  .string()
  .toLowerCase()
  .refine((text) => hostName(text) === text.replace(/^\[|\]$/g, ''), {
    error: ({ input }) => `"${String(input)}" is no host name such as slipway.example.com, without port`,
  })
  .transform((text) => text.replace(/^\[|\]$/g, ''));

/** The core's own settings, by environment variable. The README's table is generated from this. */
export const settingsSchema = z.object({
  SLIPWAY_HOST: z
    .string()
    .default('127.0.0.1')
    .describe('Address the server listens on; other than loopback only with sign-in.'),
  SLIPWAY_PORT: port(4000, 'Port of `/graphql`, `/graphiql`, `/livez` and `/readyz`; 0 picks a free one.'),
  SLIPWAY_ALLOWED_HOSTS: textList
    .pipe(z.array(host))
    .optional()
    .describe('Host names that requests may name besides loopback, separated by commas (needs sign-in).'),
  SLIPWAY_ALLOWED_ORIGINS: textList
    .pipe(z.array(origin))
    .optional()
    .describe('Other origins whose pages may call, such as `https://console.example.com` (needs sign-in).'),
  SLIPWAY_DRAIN_MS: z.coerce
    .number()
    .int()
    .min(0)
    .max(8_000)
    .optional()
    .describe(
      'How long new connections are still served after SIGTERM at least; longer while clients come. Default: 5000 in a cluster, else 0.',
    ),
  SLIPWAY_MAX_SOCKETS: count(socketLimits.sockets, 'WebSockets at once on one server; the next is refused with 503.'),
  SLIPWAY_MAX_SOCKETS_PER_CALLER: count(
    socketLimits.socketsPerCaller,
    'WebSockets at once of one signed-in caller; the next is closed with 1013.',
  ),
  SLIPWAY_MAX_QUERY_BYTES: count(
    requestLimits.queryBytes,
    'Bytes of a GraphQL document; a longer one is LIMIT_EXCEEDED.',
  ),
  SLIPWAY_MAX_VARIABLES_BYTES: count(
    requestLimits.variablesBytes,
    'Bytes of names and values in the variables of an operation; calls of services and Secrets have their own limits.',
  ),
  SLIPWAY_MAX_COST: count(
    requestLimits.cost,
    'Cost of an operation: a field costs 1, and in a list as often as there may be items (its page size; else 10).',
  ),
  SLIPWAY_CLUSTER: z
    .enum(['embedded', 'kubeconfig', 'in-cluster'])
    .default('embedded')
    .describe('Which cluster: `embedded`, `kubeconfig` (reads KUBECONFIG) or `in-cluster`.'),
  SLIPWAY_KUBE_CONTEXT: z.string().optional().describe('Context of the kubeconfig; default: its current one.'),
  SLIPWAY_NAMESPACES: textList.optional().describe('Namespaces to watch, separated by commas; default: all.'),
  SLIPWAY_NAMESPACE: z.string().default('default').describe('Namespace for new runs when none is given.'),
  SLIPWAY_CACHE_CHECK_SECONDS: z.coerce
    .number()
    .int()
    .min(0)
    .default(600)
    .describe('How often each kind that is kept is compared with a list, in seconds; 0: never.'),
  SLIPWAY_DATA_DIR: z
    .string()
    .default('.slipway')
    .describe('Folder of the embedded cluster, the history and `endpoints.json`.'),
  SLIPWAY_DEMO: boolean
    .default(true)
    .describe('Whether a new embedded cluster starts with demo services; default: true.'),
  SLIPWAY_EMBEDDED_API_PORT: port(6443, "Port of the embedded cluster's Kubernetes API; 0 picks a free one."),
  SLIPWAY_GATEWAY_PORT: port(8080, "Port of the embedded cluster's gateway; 0 picks a free one."),
  SLIPWAY_CONFIG: z.string().optional().describe('YAML file: `modules`, then one key for each module.'),
  SLIPWAY_LOG_LEVEL: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
    .default('info')
    .describe('Least level that is logged.'),
});

export type Settings = z.infer<typeof settingsSchema>;
export type Environment = Readonly<Record<string, string | undefined>>;

/** What the configuration file says: which modules, and one value for each. */
export interface FileConfig {
  modules: readonly string[] | null;
  values: Readonly<Record<string, unknown>>;
}

/** Kubernetes' service links: `SLIPWAY_PORT=tcp://…`, `SLIPWAY_SERVICE_HOST` and the like are not ours. */
function isServiceLink(name: string, value: string): boolean {
  return (
    /^(tcp|udp|sctp):\/\//.test(value) ||
    /_SERVICE_(HOST|PORT)(_|$)/.test(name) ||
    /_PORT_\d+_(TCP|UDP|SCTP)(_|$)/.test(name)
  );
}

/** The variables of the environment that are meant for us. */
export function ownEnvironment(environment: Environment): Record<string, string> {
  const own: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment)) {
    if (!name.startsWith('SLIPWAY_') || value === undefined || value === '' || isServiceLink(name, value)) continue;
    own[name] = value;
  }
  return own;
}

/** Reads the core's settings; every problem at once. */
export function readSettings(environment: Environment): Settings {
  const own = ownEnvironment(environment);
  const result = settingsSchema.safeParse(own);
  if (result.success) return result.data;
  throw new BootError(
    result.error.issues.map((issue) => ({
      module: 'server',
      field: String(issue.path[0] ?? ''),
      message: `${issue.message}.`,
      remedy: `Correct or unset ${String(issue.path[0] ?? 'it')}.`,
    })),
  );
}

/** Reads the YAML file named by SLIPWAY_CONFIG; without one, the defaults. */
export async function readFileConfig(path: string | undefined): Promise<FileConfig> {
  if (path === undefined) return { modules: null, values: {} };
  const fail = (message: string, remedy: string, field = 'SLIPWAY_CONFIG') =>
    new BootError([{ module: 'server', field, message, remedy }]);
  let document: unknown;
  try {
    document = parseYaml(await readFile(path, 'utf8'));
  } catch (error) {
    throw fail(`${path} can't be read: ${(error as Error).message}.`, 'Name a readable YAML file.');
  }
  if (document === null || document === undefined) return { modules: null, values: {} };
  if (typeof document !== 'object' || Array.isArray(document))
    throw fail(`${path} is not a mapping.`, 'Begin with `modules:`.');
  const { modules, ...values } = document as Record<string, unknown>;
  if (modules !== undefined && !(Array.isArray(modules) && modules.every((name) => typeof name === 'string'))) {
    throw fail('must be a list of module names.', 'For example `modules: [auth, runs, health]`.', 'modules');
  }
  return { modules: modules ?? null, values };
}

/**
 * Joins the file's values and the environment's overrides into one value for each module. Keys and variables that
 * belong to no known module are problems: a misspelled setting must not be silently without effect.
 */
export function moduleConfigs(
  enabled: readonly AnyModule[],
  known: readonly AnyModule[],
  file: FileConfig,
  environment: Environment,
): { values: Record<string, unknown>; problems: Problem[] } {
  const problems: Problem[] = [];
  const values: Record<string, unknown> = {};
  const all = [...new Set([...enabled, ...known])];
  for (const [key, value] of Object.entries(file.values)) {
    if (all.some((module) => module.name === key)) values[key] = value;
    else
      problems.push({
        module: 'server',
        field: key,
        message: 'is no module of this server.',
        remedy: `Remove the key "${key}" or add the module to \`modules\`.`,
      });
  }
  for (const [name, text] of Object.entries(ownEnvironment(environment))) {
    if (name in settingsSchema.shape) continue;
    const target = settingOf(name, all);
    if (!target) {
      problems.push({
        module: 'server',
        field: name,
        message: 'is no setting of this server.',
        remedy: 'Correct the name or unset it; the README lists all settings.',
      });
      continue;
    }
    const present = values[target.module.name];
    values[target.module.name] = {
      ...(present as Record<string, unknown> | undefined),
      [target.key]: fromText(text, target.type),
    };
  }
  for (const module of known) if (!enabled.includes(module)) delete values[module.name];
  return { values, problems };
}

/** A key of a module's configuration as its schema describes it. */
export interface ConfigKey {
  key: string;
  /** JSON Schema type: string, number, integer, boolean, array, object. */
  type: string;
  default: unknown;
  description: string;
}

/** The keys of a module's configuration; empty when its schema is no zod object. */
export function configKeys(module: AnyModule): ConfigKey[] {
  if (!(module.config instanceof z.ZodType)) return [];
  const { properties = {} } = z.toJSONSchema(module.config, { io: 'input', unrepresentable: 'any' });
  return Object.entries(properties).map(([key, value]) => {
    const schema = typeof value === 'object' ? value : {};
    return {
      key,
      type: String(schema.type ?? 'string'),
      default: schema.default,
      description: schema.description ?? '',
    };
  });
}

function settingOf(
  name: string,
  modules: readonly AnyModule[],
): { module: AnyModule; key: string; type: string } | null {
  for (const module of modules) {
    const keys = configKeys(module);
    const found = keys.find(({ key }) => environmentName(module.name, key) === name);
    if (found) return { module, key: found.key, type: found.type };
    const prefix = environmentName(module.name, '');
    if (module.config && keys.length === 0 && name.startsWith(prefix)) {
      const key = name
        .slice(prefix.length)
        .toLowerCase()
        .replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
      return { module, key, type: 'unknown' };
    }
  }
  return null;
}

/** A variable's text as the type its key has; text that does not fit stays text, and the schema says what is wrong. */
function fromText(text: string, type: string): unknown {
  if (type === 'string') return text;
  if (type === 'array' && !text.trimStart().startsWith('[')) return text.split(',').map((part) => part.trim());
  try {
    return parseYaml(text) as unknown;
  } catch {
    return text; // not YAML: the module's schema names the problem
  }
}
