import type { Clock } from '../clock.ts';
import { ApiError } from './api-error.ts';
import type { KubeClient, KubeList } from './cluster.ts';
import { within } from './deadline.ts';
import type { Entry } from './entry.ts';
import type { KubeObject, Resource } from './resources.ts';

const pageSize = 500;
const pageTimeoutMs = 60_000;

export interface ListAllOptions<T extends KubeObject> {
  client: KubeClient;
  resource: Resource<T>;
  namespace: string | null;
  clock: Clock;
  signal: AbortSignal;
  /** Of each object of a page before the next one comes. */
  entry?: Entry;
}

/** A whole list by pages, all of one resourceVersion. */
export async function listAll<T extends KubeObject>(
  options: ListAllOptions<T>,
): Promise<{ items: T[]; resourceVersion: string }> {
  const items: T[] = [];
  let next: string | undefined;
  for (;;) {
    let page: KubeList<T>;
    try {
      page = await listPage(options, { limit: pageSize, ...(next !== undefined && { continue: next }) });
    } catch (error) {
      // The server no longer keeps the rest of this list: ask once for all of it in one page.
      if (next === undefined || !isExpired(error)) throw error;
      page = await listPage(options, {});
      items.length = 0;
    }
    for (const item of page.items) items.push(options.entry ? options.entry(item) : item);
    const { resourceVersion, continue: following } = page.metadata;
    if (!following) return { items, resourceVersion };
    if (following === next) throw new ApiError(0, 'BadAnswer', 'the pages of the list do not end');
    next = following;
  }
}

function listPage<T extends KubeObject>(
  { client, resource, namespace, clock, signal }: ListAllOptions<T>,
  page: { limit?: number; continue?: string },
): Promise<KubeList<T>> {
  return within({ clock, signal, ms: pageTimeoutMs }, (signal) =>
    client.list(resource, { ...page, ...(namespace !== null && { namespace }), signal }),
  );
}

/** The resourceVersion or continue token is too old, or of a time that this server does not know yet. */
export function isExpired(error: unknown): boolean {
  if (!(error instanceof ApiError)) return false;
  if (error.status === 410 || error.reason === 'Expired' || error.reason === 'Gone') return true;
  return error.details.causes?.some((cause) => cause.reason === 'ResourceVersionTooLarge') ?? false;
}
