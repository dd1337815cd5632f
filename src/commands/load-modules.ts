import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { resolve } from 'node:path';
import { BootError, type Problem } from '../boot-error.ts';
import { type AnyModule, moduleVersion } from '../module.ts';
import { builtinModules } from '../modules/index.ts';
import { type Environment, type Settings, moduleConfigs, readFileConfig } from '../config.ts';

export interface LoadedModules {
  modules: AnyModule[];
  /** One value for each module, by its name. */
  config: Record<string, unknown>;
}

/** The modules that the configuration names, with their configuration; every problem at once. */
export async function loadModules(
  settings: Pick<Settings, 'SLIPWAY_CONFIG'>,
  environment: Environment,
): Promise<LoadedModules> {
  const file = await readFileConfig(settings.SLIPWAY_CONFIG);
  const problems: Problem[] = [];
  const modules: AnyModule[] = [];
  for (const name of file.modules ?? builtinModules.map((module) => module.name)) {
    const module = builtinModules.find((builtin) => builtin.name === name) ?? (await importModule(name, problems));
    if (module) modules.push(module);
  }
  const { values, problems: unknown } = moduleConfigs(modules, builtinModules, file, environment);
  problems.push(...unknown);
  if (problems.length > 0) throw new BootError(problems);
  return { modules, config: values };
}

/** `@acme/cost` by package name, `./local.ts` relative to the working directory. */
async function importModule(name: string, problems: Problem[]): Promise<AnyModule | null> {
  const fail = (message: string, remedy: string): null => {
    problems.push({ module: name, field: 'modules', message, remedy });
    return null;
  };
  const url = locate(name);
  if (url === null) {
    const known = builtinModules.map((module) => module.name).join(', ');
    return fail('is not installed.', `Install the package, correct the name, or use one of ${known}.`);
  }
  try {
    const imported = (await import(url)) as { default?: unknown };
    if (moduleVersion(imported.default) !== undefined) return imported.default as AnyModule;
    return fail('has no default export made by defineModule.', 'Export the module as default.');
  } catch (error) {
    const [line = ''] = (error as Error).message.split('\n');
    return fail(`can't be loaded: ${line}.`, 'Mend the module or remove it from `modules`.');
  }
}

/** Packages are looked up from the working directory first, as the user's project has them, then beside the server. */
function locate(name: string): string | null {
  if (name.startsWith('.') || name.startsWith('/')) return pathToFileURL(resolve(name)).href;
  for (const base of [resolve('package.json'), import.meta.filename]) {
    try {
      return pathToFileURL(createRequire(base).resolve(name)).href;
    } catch {
      continue; // not installed there
    }
  }
  return null;
}
