import type { AnyModule } from '../module.ts';
import { auth } from './auth/index.ts';

/** The modules that come with Slipway, in the order of the README's table. All are on by default. */
export const builtinModules: readonly AnyModule[] = [auth];
