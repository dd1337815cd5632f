import { readFileSync } from 'node:fs';
import { findPackageJSON } from 'node:module';
import { stringify } from 'yaml';
import { BootError, type Problem } from '../boot-error.ts';
import { type Environment, type Settings, ownEnvironment, readSettings } from '../config.ts';
import { type Plan, planModules } from '../registry.ts';
import { loadModules } from './load-modules.ts';
import { type Installation, plainManifests } from './manifests/plain.ts';
import { actsForCallers, rulesOf } from './manifests/roles.ts';

export interface ManifestOptions {
  /** @default slipway:<this version> */
  image?: string | undefined;
  /** @default slipway */
  namespace?: string | undefined;
  /** @default 2 */
  replicas?: string | undefined;
}

/** kubectl reads YAML 1.1, where a bare `off` is a boolean. */
const yaml11 = { version: '1.1', aliasDuplicateObjects: false, lineWidth: 0 } as const;
const name = 'slipway';
/** What an installation takes over from the environment; the rest is of the machine it runs on. */
const carried = [
  'SLIPWAY_ALLOWED_ORIGINS',
  'SLIPWAY_NAMESPACES',
  'SLIPWAY_NAMESPACE',
  'SLIPWAY_LOG_LEVEL',
  'SLIPWAY_DRAIN_MS',
  'SLIPWAY_MAX_SOCKETS',
  'SLIPWAY_MAX_SOCKETS_PER_CALLER',
  'SLIPWAY_MAX_QUERY_BYTES',
  'SLIPWAY_MAX_VARIABLES_BYTES',
  'SLIPWAY_MAX_COST',
];
/** Modules that keep a history, each under the key `historyUrl`. */
const historians = ['invoke', 'health'];

/** The objects that run this configuration on a cluster, as YAML for `kubectl apply`. */
export async function printManifests(environment: Environment, options: ManifestOptions): Promise<string> {
  const settings = readSettings(environment);
  const { modules, config } = await loadModules(settings, environment);
  const plan = await planModules(modules, config);
  const { namespace = 'slipway', image = `slipway:${version()}` } = options;
  const replicas = Number(options.replicas ?? 2);
  const problems = [
    ...flagProblems(options, replicas),
    ...signInProblems(plan, settings),
    ...historyProblems(plan, replicas),
  ];
  if (problems.length > 0) throw new BootError(problems);
  const { kept, secrets } = withoutSecrets(config);
  const installation: Installation = {
    ...{ name, namespace, image, version: version(), replicas, secrets },
    namespaces: settings.SLIPWAY_NAMESPACES,
    config: { modules: modules.map((module) => module.name), ...kept },
    environment: carriedSettings(environment, settings, namespace),
    rules: rulesOf(plan.modules),
  };
  const documents = plainManifests(installation).map((object) => stringify(object, yaml11));
  return [heading(installation), ...documents].join('---\n');
}

/** Of the package.json above, which is another one in a build. */
export function version(): string {
  const file = findPackageJSON('..', import.meta.url);
  if (file === undefined) throw new Error('The package.json of Slipway is not where it should be.');
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

function flagProblems({ namespace }: ManifestOptions, replicas: number): Problem[] {
  const problems: Problem[] = [];
  const problem = (field: string, message: string, remedy: string) =>
    problems.push({ module: 'manifests', field, message, remedy });
  if (!Number.isInteger(replicas) || replicas < 1) problem('--replicas', 'must be 1 or more.', 'Give a whole number.');
  if (namespace !== undefined && !/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(namespace)) {
    problem('--namespace', 'is no name of a namespace.', 'Give lower case letters, digits and hyphens.');
  }
  return problems;
}

function signInProblems({ modules }: Plan, settings: Settings): Problem[] {
  const auth = modules.find(({ module }) => module.name === 'auth')?.config as
    | { authorizer: string }
    | null
    | undefined;
  if (auth == null) {
    const message = 'must be set: on a cluster nobody is let in without signing in.';
    const remedy = 'Set SLIPWAY_AUTH_ISSUER and SLIPWAY_AUTH_AUDIENCE, and leave "auth" in `modules`.';
    return [{ module: 'auth', field: 'issuer', message, remedy }];
  }
  // With roles, what callers do is done with our own rights: not everywhere.
  if (!actsForCallers(modules) || settings.SLIPWAY_NAMESPACES) return [];
  const message = 'must be set with the authorizer `roles`, where Slipway acts with its own rights.';
  return [{ module: 'server', field: 'SLIPWAY_NAMESPACES', message, remedy: 'List the namespaces it may act in.' }];
}

/** A file in each replica's own folder would give each caller another history, depending on who answers. */
function historyProblems({ modules }: Plan, replicas: number): Problem[] {
  if (replicas === 1) return [];
  return modules.flatMap(({ module, config }) => {
    const { historyUrl } = (config ?? {}) as { historyUrl?: unknown };
    if (!historians.includes(module.name) || !String(historyUrl).startsWith('sqlite:')) return [];
    const field = `SLIPWAY_${module.name.toUpperCase()}_HISTORY_URL`;
    const message = `is a file, but ${replicas} replicas need one history.`;
    return [{ module: module.name, field, message, remedy: `Set it to postgres://… or off, or give --replicas 1.` }];
  });
}

/** Databases are named with their passwords: they belong into a Secret. */
function withoutSecrets(
  config: Readonly<Record<string, unknown>>,
): Pick<Installation, 'secrets'> & { kept: Record<string, unknown> } {
  const kept: Record<string, unknown> = { ...config };
  const secrets: Record<string, string> = {};
  for (const module of historians) {
    const { historyUrl, ...rest } = (config[module] ?? {}) as { historyUrl?: string };
    if (!historyUrl?.startsWith('postgres')) continue;
    kept[module] = rest;
    secrets[`SLIPWAY_${module.toUpperCase()}_HISTORY_URL`] = `${module}-history-url`;
  }
  return { kept, secrets };
}

function carriedSettings(environment: Environment, settings: Settings, namespace: string): Record<string, string> {
  const own = ownEnvironment(environment);
  const hosts = [name, `${name}.${namespace}`, `${name}.${namespace}.svc`, `${name}.${namespace}.svc.cluster.local`];
  return {
    SLIPWAY_ALLOWED_HOSTS: [...hosts, ...(settings.SLIPWAY_ALLOWED_HOSTS ?? [])].join(','),
    ...Object.fromEntries(carried.flatMap((variable) => (own[variable] ? [[variable, own[variable]]] : []))),
  };
}

function heading({ namespace, secrets, config }: Installation): string {
  const lines = [
    `Slipway ${version()} with the modules ${(config['modules'] as string[]).join(', ')}.`,
    'The same command with other settings gives other rights: apply it again after a change.',
  ];
  const keys = Object.values(secrets).map((key) => ` --from-literal=${key}='postgres://…'`);
  if (keys.length > 0) {
    lines.push(
      `Before the first start: kubectl --namespace ${namespace} create secret generic ${name}${keys.join('')}`,
    );
  }
  return `${lines.map((line) => `# ${line}`).join('\n')}\n`;
}
