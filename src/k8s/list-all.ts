import type { Clock } from '../clock.ts';
import { ApiError } from './api-error.ts';
import type { KubeList, ListOptions } from './cluster.ts';
import { within } from './deadline.ts';
import type { KubeObject } from './resources.ts';

const pageSize = 500;
const pageTimeoutMs = 60_000;

/** One page, as `KubeClient.list` gives it. */
export type ListPage<T extends KubeObject> = (
  options: Pick<ListOptions, 'limit' | 'continue' | 'signal'>,
) => Promise<KubeList<T>>;

/** A whole list by pages, all of one resourceVersion. */
export async function listAll<T extends KubeObject>(
  listPage: ListPage<T>,
  { clock, signal }: { clock: Clock; signal: AbortSignal },
): Promise<{ items: T[]; resourceVersion: string }> {
  const pageOf = (options: { limit?: number; continue?: string }) =>
    within({ clock, signal, ms: pageTimeoutMs }, (signal) => listPage({ ...options, signal }));
  const items: T[] = [];
  let next: string | undefined;
  for (;;) {
    let page: KubeList<T>;
    try {
      page = await pageOf({ limit: pageSize, ...(next !== undefined && { continue: next }) });
    } catch (error) {
      // The server no longer keeps the rest of this list: ask once for all of it in one page.
      if (next === undefined || !isExpired(error)) throw error;
      page = await pageOf({});
      items.length = 0;
    }
    for (const item of page.items) items.push(item);
    const { resourceVersion, continue: following } = page.metadata;
    if (!following) return { items, resourceVersion };
    if (following === next) throw new ApiError(0, 'BadAnswer', 'the pages of the list do not end');
    next = following;
  }
}

/** The resourceVersion or continue token is too old, or of a time that this server does not know yet. */
export function isExpired(error: unknown): boolean {
  if (!(error instanceof ApiError)) return false;
  if (error.status === 410 || error.reason === 'Expired' || error.reason === 'Gone') return true;
  return error.details.causes?.some((cause) => cause.reason === 'ResourceVersionTooLarge') ?? false;
}
