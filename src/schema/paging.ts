import { type SlipwayError, invalid } from '../errors.ts';
import type { Builder } from './builder.ts';

export const defaultPageSize = 50;
export const maxPageSize = 200;

export interface PageArgs {
  first?: number | null | undefined;
  after?: string | null | undefined;
  last?: number | null | undefined;
  before?: string | null | undefined;
}

/** One page in the form every connection type has. */
export interface Page<T> {
  edges: { cursor: string; node: T }[];
  pageInfo: { hasNextPage: boolean; hasPreviousPage: boolean; startCursor: string | null; endCursor: string | null };
  totalCount: number;
}

/** A sort key: compared element by element, numbers as numbers and strings by code unit. */
export type SortKey = readonly (string | number | null)[];

export function compareKeys(a: SortKey, b: SortKey): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const [x, y] = [a[i] ?? null, b[i] ?? null];
    if (x === y) continue;
    if (x === null) return -1;
    if (y === null) return 1;
    return x < y ? -1 : 1;
  }
  return a.length - b.length;
}

/** Cursors hold the sort key (whose last element is the id), so any replica can read them. */
export function encodeCursor(key: SortKey): string {
  return Buffer.from(JSON.stringify(key)).toString('base64url');
}

/** The elements of a cursor, `length` of them where that is known; INVALID on `field` for anything else. */
export function decodeCursor(cursor: string, length: number | null, field: string): SortKey {
  try {
    const key: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    if (
      Array.isArray(key) &&
      key.length === (length ?? key.length) &&
      key.every((part) => part === null || typeof part === 'string' || typeof part === 'number')
    ) {
      return key as SortKey;
    }
  } catch {
    // Not ours: answered below like any other foreign text.
  }
  throw badCursor(field);
}

export function badCursor(field: string): SlipwayError {
  return invalid(
    field,
    `"${field}" is not a cursor of this list. Use pageInfo.startCursor, pageInfo.endCursor or edges.cursor.`,
    'BAD_CURSOR',
  );
}

function size(value: number | null | undefined, field: 'first' | 'last'): number | null {
  if (value === null || value === undefined) return null;
  if (value >= 1 && value <= maxPageSize) return value;
  throw invalid(field, `"${field}" must be from 1 to ${maxPageSize}, not ${value}.`, 'PAGE_SIZE');
}

/** `first` and `last` checked and defaulted: exactly one of them is set. */
export function pageSize(args: PageArgs): { first: number | null; last: number | null } {
  const [first, last] = [size(args.first, 'first'), size(args.last, 'last')];
  if (first !== null && last !== null) throw invalid('last', 'Give "first" or "last", not both.', 'PAGE_SIZE');
  return first === null && last === null ? { first: defaultPageSize, last } : { first, last };
}

/** For `complexity` of a field with `pageArgs`: its `nodes` and `edges` count ten times, the rest is the size of the page. */
export function pageCost({ first, last }: PageArgs): { field: number; multiplier: number } {
  return { field: 1, multiplier: listCost(first ?? last ?? defaultPageSize).multiplier / 10 };
}

/** For `complexity` of a list that has as many items as are asked for. */
export function listCost(count: number): { field: number; multiplier: number } {
  return { field: 1, multiplier: Math.min(Math.max(count, 1), maxPageSize) };
}

export interface PageOrder {
  /** Turns the order round. @default false */
  descending?: boolean;
  /** Stands before the sort key in every cursor, and is not compared. @default nothing */
  mark?: SortKey;
}

/** Cuts a page out of items that are already filtered, in any order. `key` gives the sort key, ending with a unique id. */
export function paginate<T>(
  items: readonly T[],
  args: PageArgs,
  key: (item: T) => SortKey,
  { descending = false, mark = [] }: PageOrder = {},
): Page<T> {
  const { first, last } = pageSize(args);
  const sign = descending ? -1 : 1;
  const sorted = items.map((node) => ({ node, key: key(node) })).sort((a, b) => sign * compareKeys(a.key, b.key));
  const width = sorted[0]?.key.length;
  const placeOf = (field: 'after' | 'before'): number | null => {
    const cursor = args[field];
    if (cursor === null || cursor === undefined) return null;
    const place = decodeCursor(cursor, width === undefined ? null : mark.length + width, field).slice(mark.length);
    const least = field === 'after' ? 1 : 0;
    const index = sorted.findIndex((item) => sign * compareKeys(item.key, place) >= least);
    return index < 0 ? sorted.length : index;
  };
  let from = placeOf('after') ?? 0;
  let to = placeOf('before') ?? sorted.length;
  if (first !== null) to = Math.min(to, from + first);
  else from = Math.max(from, to - (last ?? 0));
  const edges = sorted
    .slice(from, Math.max(from, to))
    .map((item) => ({ cursor: encodeCursor([...mark, ...item.key]), node: item.node }));
  return {
    edges,
    totalCount: sorted.length,
    pageInfo: {
      hasPreviousPage: edges.length > 0 && from > 0,
      hasNextPage: edges.length > 0 && to < sorted.length,
      startCursor: edges[0]?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
    },
  };
}

/** The four arguments of every connection, with descriptions. */
// oxlint-disable-next-line typescript/no-explicit-any -- Pothos has one arg builder type per schema types; inference needs the concrete call
export function pageArgs(arg: any): {
  first: ReturnType<ArgBuilder['int']>;
  after: ReturnType<ArgBuilder['string']>;
  last: ReturnType<ArgBuilder['int']>;
  before: ReturnType<ArgBuilder['string']>;
} {
  return {
    first: arg.int({
      description: `How many from the start, 1 to ${maxPageSize}; ${defaultPageSize} when neither first nor last is given.`,
    }),
    after: arg.string({ description: 'Only what comes after this cursor.' }),
    last: arg.int({ description: `How many from the end, 1 to ${maxPageSize}.` }),
    before: arg.string({ description: 'Only what comes before this cursor.' }),
  };
}
type ArgBuilder = Parameters<Parameters<Builder['queryField']>[1]>[0]['arg'];
