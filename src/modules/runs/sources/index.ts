import type { RunsConfig } from '../config.ts';
import type { RunSource } from '../service.ts';
import { configuredSource } from './configured.ts';
import { digitalhubSource } from './digitalhub.ts';
import { slipwaySource } from './slipway.ts';

/** The sources of this module, in the order in which they are asked. */
export function builtinSources(config: RunsConfig): RunSource[] {
  return [slipwaySource, digitalhubSource, ...config.sources.map(configuredSource)];
}
