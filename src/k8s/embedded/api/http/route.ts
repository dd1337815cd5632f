import type { Core } from '../core.ts';
import type { Definition } from '../definition.ts';
import { noSuchResource } from '../status.ts';

/** What a path below /api or /apis is about. */
export interface Target {
  definition: Definition;
  namespace: string | undefined;
  name: string | undefined;
  subresource: string | undefined;
}

/** Reads a resource path; throws when nothing is there. */
export function targetOf(core: Core, path: string): Target {
  const [, root, ...rest] = path.replace(/\/$/, '').split('/').map(decode);
  const [group, version, ...parts] = root === 'api' ? ['', ...rest] : rest;
  if ((root !== 'api' && root !== 'apis') || group === undefined || version === undefined) throw noSuchResource();
  const inNamespace = parts[0] === 'namespaces' && parts.length > 2 && !namespaceSubresources.has(parts[2] ?? '');
  const [namespace, plural, name, subresource, ...more] = inNamespace ? parts.slice(1) : [undefined, ...parts];
  const definition = core.find(group, version, plural ?? '');
  if (!definition || more.length > 0 || name === '' || namespace === '') throw noSuchResource();
  if (definition.namespaced ? name !== undefined && namespace === undefined : namespace !== undefined)
    throw noSuchResource();
  return { definition, namespace, name, subresource };
}

const namespaceSubresources = new Set(['status', 'finalize']);

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    // Malformed escapes are no name of anything.
    throw noSuchResource();
  }
}
