import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type SlipwayError } from '../../src/errors.ts';
import { type Page, type SortKey, paginate } from '../../src/schema/paging.ts';

const item = fc.record({ name: fc.constantFrom('a', 'b', 'c'), id: fc.uuid() });
const items = fc.uniqueArray(item, { selector: (one) => one.id, maxLength: 40 });
interface Item {
  name: string;
  id: string;
}
const key = (one: Item): SortKey => [one.name, one.id];

function refusal(run: () => unknown): Pick<SlipwayError, 'code' | 'field'> {
  try {
    run();
  } catch (error) {
    const { code, field } = error as SlipwayError;
    return { code, field };
  }
  throw new Error('nothing was refused');
}

describe('paging', () => {
  test('walking forward and backward shows every item once and in the same order', () => {
    fc.assert(
      fc.property(items, fc.integer({ min: 1, max: 7 }), fc.boolean(), (all, size, descending) => {
        const whole = paginate(all, { first: 200 }, key, { descending }).edges.map((edge) => edge.node.id);
        const forward: string[] = [];
        for (let after: string | null = null; ; ) {
          const page: Page<Item> = paginate(all, { first: size, after }, key, { descending });
          forward.push(...page.edges.map((edge) => edge.node.id));
          after = page.pageInfo.endCursor;
          if (!page.pageInfo.hasNextPage) break;
        }
        const backward: string[] = [];
        for (let before: string | null = null; ; ) {
          const page: Page<Item> = paginate(all, { last: size, before }, key, { descending });
          backward.unshift(...page.edges.map((edge) => edge.node.id));
          before = page.pageInfo.startCursor;
          if (!page.pageInfo.hasPreviousPage) break;
        }
        expect(forward).toEqual(whole);
        expect(backward).toEqual(whole);
      }),
    );
  });

  test('a cursor stays good when its item is gone', () => {
    const all = ['a', 'b', 'c'].map((name) => ({ name, id: name }));
    const { endCursor } = paginate(all, { first: 2 }, key).pageInfo;
    const rest = paginate(
      [all[0], all[2]].filter((one) => one !== undefined),
      { first: 2, after: endCursor },
      key,
    );
    expect(rest.edges.map((edge) => edge.node.name)).toEqual(['c']);
  });

  test('50 come when no size is given, and totalCount counts all', () => {
    const all = Array.from({ length: 60 }, (_, i) => ({ name: 'x', id: String(i).padStart(2, '0') }));
    const page = paginate(all, {}, key);
    expect([page.edges.length, page.totalCount, page.pageInfo.hasNextPage]).toEqual([50, 60, true]);
  });

  test.each([
    [{ first: 0 }, 'first'],
    [{ first: 201 }, 'first'],
    [{ last: -1 }, 'last'],
    [{ last: 201 }, 'last'],
    [{ first: 1, last: 1 }, 'last'],
    [{ after: 'garbage' }, 'after'],
    [{ before: Buffer.from('[1]').toString('base64url') }, 'before'],
  ])('%j is INVALID and names its field', (args, field) => {
    expect(refusal(() => paginate([{ name: 'a', id: '1' }], args, key))).toEqual({ code: 'INVALID', field });
  });

  test('200 is the most a page takes', () => {
    expect(paginate([], { first: 200 }, key).edges).toEqual([]);
  });
});
