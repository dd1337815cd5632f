import type { AnyModule } from '../module.ts';
import { auth } from './auth/index.ts';
import { gateways } from './gateways/index.ts';
import { health } from './health/index.ts';
import { invoke } from './invoke/index.ts';
import { metrics } from './metrics/index.ts';
import { runs } from './runs/index.ts';

/** The modules that come with Slipway, in the order of the README's table. All are on by default. */
export const builtinModules: readonly AnyModule[] = [auth, runs, health, invoke, gateways, metrics];
