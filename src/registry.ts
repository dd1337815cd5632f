import { BootError, type Problem } from './boot-error.ts';
import type { Cluster, Watch } from './k8s/cluster.ts';
import {
  type AnyModule,
  type Host,
  type ManyRef,
  type OperationObserver,
  type Refs,
  type RouteHandler,
  type ServiceOf,
  type ServiceRef,
  contractVersion,
  moduleVersion,
} from './module.ts';
import type { Clock } from './clock.ts';
import type { Log } from './log.ts';
import type { Plugin } from 'graphql-yoga';

/** Modules in start order with their validated configuration. */
export interface Plan {
  readonly modules: readonly PlannedModule[];
  /** What all modules together read from the cluster. */
  readonly watches: readonly Watch[];
}

export interface PlannedModule {
  readonly module: AnyModule;
  readonly config: unknown;
}

/** What the modules registered while they started. */
export interface StartedModules {
  readonly use: <R extends ServiceRef<unknown>>(ref: R) => ServiceOf<R>;
  /** The service, or undefined when no module provides it. */
  find<S>(ref: ServiceRef<S>): S | undefined;
  readonly routes: ReadonlyMap<string, RouteHandler>;
  readonly plugins: readonly Plugin[];
  readonly observers: readonly OperationObserver[];
  /** Sentences saying why the server is not ready; empty when it is. */
  notReady(): string[];
  /** Stops in reverse order; a module that fails to stop is logged and harms nobody else. */
  stop(): Promise<void>;
}

const refsOf = (refs: Refs | undefined): ServiceRef<unknown>[] => Object.values(refs ?? {});

/** Checks contracts and needs, sorts by them, and validates every module's configuration: all problems at once. */
export async function planModules(
  modules: readonly AnyModule[],
  config: Readonly<Record<string, unknown>>,
): Promise<Plan> {
  const problems: Problem[] = [...contractProblems(modules), ...needProblems(modules)];
  const sorted = problems.length === 0 ? sortByNeeds(modules, problems) : [...modules];
  const planned: PlannedModule[] = [];
  for (const module of sorted)
    planned.push({ module, config: await validateConfig(module, config[module.name], problems) });
  if (problems.length > 0) throw new BootError(problems);
  const watches = planned.flatMap(({ module, config }) =>
    typeof module.watches === 'function' ? module.watches(config) : (module.watches ?? []),
  );
  return { modules: planned, watches };
}

function contractProblems(modules: readonly AnyModule[]): Problem[] {
  const problems: Problem[] = [];
  const names = new Set<string>();
  for (const module of modules) {
    const version = moduleVersion(module);
    if (version !== contractVersion) {
      const made =
        version === undefined ? 'not made by defineModule' : `made for version ${version} of the module contract`;
      problems.push({
        module: module.name,
        message: `is ${made}; this server speaks version ${contractVersion}.`,
        remedy: 'Install a version of the module that was built for this server.',
      });
    }
    if (names.has(module.name)) {
      problems.push({ module: module.name, message: 'is listed twice.', remedy: 'List each module once.' });
    }
    names.add(module.name);
  }
  return problems;
}

function needProblems(modules: readonly AnyModule[]): Problem[] {
  const problems: Problem[] = [];
  const providers = new Map<string, string>();
  for (const module of modules) {
    for (const ref of refsOf(module.provides)) {
      const other = providers.get(ref.id);
      if (other !== undefined && !ref.many) {
        problems.push({
          module: module.name,
          message: `provides ${ref.id}, which ${other} provides too.`,
          remedy: 'Enable only one of the two.',
        });
      }
      providers.set(ref.id, module.name);
    }
  }
  for (const module of modules) {
    for (const ref of refsOf(module.needs)) {
      if (providers.has(ref.id) || ref.many) continue;
      problems.push({
        module: module.name,
        message: `needs ${ref.id}, which no enabled module provides.`,
        remedy: 'Add the module that provides it to `modules`, or remove this one.',
      });
    }
  }
  return problems;
}

/** Providers before users, otherwise in the given order; a cycle is a problem that names its members. */
function sortByNeeds(modules: readonly AnyModule[], problems: Problem[]): AnyModule[] {
  const sorted: AnyModule[] = [];
  const done = new Set<AnyModule>();
  const path: AnyModule[] = [];
  const visit = (module: AnyModule): void => {
    if (done.has(module)) return;
    if (path.includes(module)) {
      const cycle = [...path.slice(path.indexOf(module)), module].map((member) => member.name).join(' -> ');
      problems.push({
        module: module.name,
        message: `needs itself: ${cycle}.`,
        remedy: 'Remove one of these modules.',
      });
      return;
    }
    path.push(module);
    const wanted = [...refsOf(module.needs), ...refsOf(module.uses)].map((ref) => ref.id);
    for (const other of modules) {
      if (other !== module && refsOf(other.provides).some((ref) => wanted.includes(ref.id))) visit(other);
    }
    path.pop();
    done.add(module);
    sorted.push(module);
  };
  for (const module of modules) visit(module);
  return sorted;
}

async function validateConfig(module: AnyModule, value: unknown, problems: Problem[]): Promise<unknown> {
  if (!module.config) {
    if (value !== undefined) {
      problems.push({
        module: module.name,
        message: 'takes no configuration.',
        remedy: `Remove the key "${module.name}".`,
      });
    }
    return undefined;
  }
  const result = await module.config['~standard'].validate(value ?? {});
  if (!result.issues) return result.value;
  for (const issue of result.issues) {
    const field = (issue.path ?? []).map((part) => String(typeof part === 'object' ? part.key : part)).join('.');
    problems.push({
      module: module.name,
      ...(field && { field }),
      message: `${issue.message.replace(/\.$/, '')}.`,
      remedy: remedyFor(module.name, field),
    });
  }
  return undefined;
}

function remedyFor(module: string, field: string): string {
  const key = field.split('.')[0] ?? '';
  if (!key) return `See the configuration table of the README for "${module}".`;
  return `Set "${module}.${field}" in the configuration file or ${environmentName(module, key)}.`;
}

/** `SLIPWAY_<MODULE>_<KEY>`: upper case, camel case split, every other character `_`. */
export function environmentName(module: string, key: string): string {
  const word = (text: string) =>
    text
      .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
      .toUpperCase()
      .replace(/[^A-Z0-9]+/g, '_')
      .replace(/^_+|_+$/g, '');
  return `SLIPWAY_${word(module)}_${word(key)}`;
}

export interface StartOptions {
  cluster: Cluster;
  clock: Clock;
  log: Log;
  dataDir: string;
}

/** Starts the planned modules in order; when one fails, those already started are stopped again. */
export async function startModules(plan: Plan, options: StartOptions): Promise<StartedModules> {
  const single = new Map<string, unknown>();
  const many = new Map<string, unknown[]>();
  const routes = new Map<string, RouteHandler>();
  const plugins: Plugin[] = [];
  const observers: OperationObserver[] = [];
  const checks: { module: string; check: () => string | null }[] = [];
  const stops: { module: string; stop: () => void | Promise<void> }[] = [];
  const aborter = new AbortController();

  const use = <R extends ServiceRef<unknown>>(ref: R): ServiceOf<R> => {
    if ((ref as Partial<ManyRef<unknown>>).many) return (many.get(ref.id) ?? []) as ServiceOf<R>;
    if (!single.has(ref.id)) throw new Error(`No enabled module provides ${ref.id}.`);
    return single.get(ref.id) as ServiceOf<R>;
  };
  const depsOf = (module: AnyModule): Record<string, unknown> => {
    const entries = Object.entries({ ...(module.uses as Refs), ...(module.needs as Refs) });
    return Object.fromEntries(
      entries.map(([key, ref]) => [key, ref.many ? [...(many.get(ref.id) ?? [])] : single.get(ref.id)]),
    );
  };
  const stop = async (): Promise<void> => {
    aborter.abort();
    for (const entry of stops.splice(0).reverse()) {
      try {
        await entry.stop();
      } catch (error) {
        options.log.error({ module: entry.module, err: error }, 'a module failed to stop');
      }
    }
  };
  const hostFor = (module: AnyModule, config: unknown): Host<unknown, Refs, Refs> => ({
    config,
    deps: depsOf(module),
    cluster: options.cluster,
    clock: options.clock,
    dataDir: options.dataDir,
    log: options.log.child({ module: module.name }),
    signal: aborter.signal,
    route: (path, handler) => {
      if (routes.has(path)) throw new Error(`The path ${path} is already served by another module.`);
      routes.set(path, handler);
    },
    observe: (observer) => observers.push(observer),
    plugin: (plugin) => plugins.push(plugin),
    onStop: (task) => stops.push({ module: module.name, stop: task }),
    ready: (check) => checks.push({ module: module.name, check }),
  });
  const keep = (module: AnyModule, services: Record<string, unknown>): void => {
    for (const [key, ref] of Object.entries((module.provides ?? {}) as Refs)) {
      if (!(key in services)) throw new Error(`Module ${module.name} promised ${ref.id} but did not start it.`);
      if (ref.many) many.set(ref.id, [...(many.get(ref.id) ?? []), ...(services[key] as unknown[])]);
      else single.set(ref.id, services[key]);
    }
  };

  try {
    for (const { module, config } of plan.modules) {
      const services: unknown = await module.start?.(hostFor(module, config));
      keep(module, (services ?? {}) as Record<string, unknown>);
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    use,
    find: <S>(ref: ServiceRef<S>) => single.get(ref.id) as S | undefined,
    routes,
    plugins,
    observers,
    notReady: () =>
      checks.flatMap(({ module, check }) => {
        const reason = check();
        return reason === null ? [] : [`${module}: ${reason}`];
      }),
    stop,
  };
}
