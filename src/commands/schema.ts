import { type Environment, readSettings } from '../config.ts';
import { planModules } from '../registry.ts';
import { buildSchema, printSdl } from '../schema/build.ts';
import { loadModules } from './load-modules.ts';

/** The SDL of the enabled modules; needs no cluster. */
export async function printSchemaCommand(environment: Environment): Promise<string> {
  const { modules, config } = await loadModules(readSettings(environment), environment);
  const plan = await planModules(modules, config);
  return printSdl(buildSchema(plan.modules.map(({ module }) => module)));
}
