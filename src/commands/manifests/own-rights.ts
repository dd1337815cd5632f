import { stringify } from 'yaml';
import { distinctRules } from './access.ts';
import type { ModuleRules } from './roles.ts';

/** What Slipway's own identity may do, for review: a change of it shows in the diff. */
export function renderOwnRights(modules: readonly ModuleRules[]): string {
  const rights = {
    cluster: distinctRules(modules.flatMap(({ cluster }) => cluster)),
    namespaced: distinctRules(modules.flatMap(({ namespaced }) => namespaced)),
  };
  return stringify(rights, { aliasDuplicateObjects: false, lineWidth: 0 });
}
