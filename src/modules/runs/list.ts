import type { Scope } from '../../caller.ts';
import { invalid } from '../../errors.ts';
import { type Page, type PageArgs, type SortKey, badCursor, decodeCursor, paginate } from '../../schema/paging.ts';
import type { HealthStatus, Millis, RunFilter, RunView, Runs } from './service.ts';

export type ServiceRunOrderField = 'CREATED_AT' | 'NAME' | 'PROJECT' | 'HEALTH' | 'LAST_CHANGED_AT';
export interface ServiceRunOrder {
  field: ServiceRunOrderField;
  direction: 'ASC' | 'DESC';
}

const newestFirst: ServiceRunOrder = { field: 'CREATED_AT', direction: 'DESC' };

/** What needs care sorts first. */
const byCare: Record<HealthStatus, number> = {
  DEGRADED: 0,
  MISSING: 1,
  UNKNOWN: 2,
  PROGRESSING: 3,
  SUSPENDED: 4,
  HEALTHY: 5,
};

type Key = (run: RunView, then: { health: HealthStatus; since: Millis }) => SortKey;
const sortKeys: Record<ServiceRunOrderField, Key> = {
  CREATED_AT: (run) => [run.createdAt, run.name, run.key],
  NAME: (run) => [run.name, run.namespace, run.key],
  PROJECT: (run) => [run.project, run.name, run.key],
  HEALTH: (run, then) => [byCare[then.health], run.name, run.key],
  LAST_CHANGED_AT: (run, then) => [then.since, run.name, run.key],
};
/** Order and time, then the sort key. */
const cursorLength = 5;

/**
 * A page of the runs in a scope. Health changes while somebody pages through it, so all pages of one reading are sorted by
 * what was at its begin, which their cursors name: no run moves from one page to another.
 */
export function listRuns(
  runs: Pick<Runs, 'all' | 'matcher' | 'statusAt' | 'now'>,
  scope: Scope,
  args: PageArgs & { filter?: RunFilter | null | undefined; orderBy?: ServiceRunOrder | null | undefined },
): Page<RunView> {
  const { filter, orderBy, ...page } = args;
  const { field, direction } = orderBy ?? newestFirst;
  const matches = runs.matcher(filter, 'filter');
  const at = beginOf(page, field) ?? runs.now();
  const visible = [...runs.all()].filter((run) => scope.includes(run) && matches(run));
  const key = (run: RunView) => sortKeys[field](run, runs.statusAt(run, at));
  return paginate(visible, page, key, { descending: direction === 'DESC', mark: [field, at] });
}

/** When the reading began that a cursor belongs to; INVALID for a cursor of another order. */
function beginOf(page: PageArgs, order: ServiceRunOrderField): Millis | null {
  const begins = (['after', 'before'] as const).flatMap((field) => {
    const cursor = page[field];
    if (cursor === null || cursor === undefined) return [];
    const [ofOrder, at] = decodeCursor(cursor, cursorLength, field);
    if (typeof at !== 'number' || typeof ofOrder !== 'string') throw badCursor(field);
    if (ofOrder !== order) {
      throw invalid(
        field,
        `"${field}" is a cursor of the order ${ofOrder}, not of ${order}: begin again.`,
        'BAD_CURSOR',
      );
    }
    return [at];
  });
  return begins[0] ?? null;
}
