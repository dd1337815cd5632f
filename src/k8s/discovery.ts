import { ApiError } from './api-error.ts';
import { type Resource, apiVersionOf } from './resources.ts';
import type { Transport } from './transport.ts';

interface GroupList {
  kind?: string;
  groups?: { name?: string; versions?: { version?: string }[] }[];
}

interface ResourceList {
  kind?: string;
  resources?: { name?: string }[];
}

/**
 * Whether the API server itself says that it does not serve this kind. A 404 alone may come from anything in between,
 * or from a server that is still starting, and would make all objects vanish.
 */
export async function isAbsent(transport: Transport, resource: Resource, signal: AbortSignal): Promise<boolean> {
  const { group, version, plural } = resource;
  const ask = <T>(path: string) => transport.json<T>({ method: 'GET', path, signal });
  try {
    if (group !== '') {
      const { kind, groups = [] } = await ask<GroupList>('/apis');
      if (kind !== 'APIGroupList') return false;
      const versions = groups.find(({ name }) => name === group)?.versions ?? [];
      if (!versions.some((served) => served.version === version)) return true;
    }
    const { kind, resources = [] } = await ask<ResourceList>(`/${group ? 'apis' : 'api'}/${apiVersionOf(resource)}`);
    return kind === 'APIResourceList' && !resources.some(({ name }) => name === plural);
  } catch (error) {
    // Where we may not ask, the 404 is all there is.
    return error instanceof ApiError && error.status === 403;
  }
}
