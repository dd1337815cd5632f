import fc from 'fast-check';
import { type ExecutionResult, type GraphQLSchema, buildSchema, execute, parse, validate } from 'graphql';
import { expect, test } from 'vitest';
import { requestLimits } from '../../src/schema/limits.ts';
import { createExecute } from '../../src/server/execution/index.ts';

const sdl = `
  interface Named { name: String }
  enum Color { RED GREEN }
  input Either @oneOf { one: Int, other: String }
  input Wish { of: Int! = 3, more: [String!] }
  input Order { color: Color! = RED, note: String, sure: Boolean!, items: [[Int]], either: Either, wish: Wish, next: [Order!] }
  type Leaf implements Named { name: String, count(by: Int! = 2, wish: Wish): Int!, never: String!, late: Float }
  type Tree implements Named {
    name: String
    sure: Leaf!
    leaf: Leaf
    tree: Tree
    lateTree: Tree
    leaves: [Leaf!]!
    maybes: [Leaf]
    lateLeaves: [Leaf!]
    numbers: [[Int]]
    stream: [Int]
    other: Leaf
    fails: String
    failsLate: String
    named: Named
  }
  type Query { tree: Tree, echo(text: String, list: [Int!]): String, sure: Tree!, order(order: Order, orders: [Order!]!, at: Float! = 1.5): String }
  type Mutation { first: Tree, second: Tree! }`;

/** Each kind of resolver, and each way to fail where a single error tells which. */
function schemaWith(): GraphQLSchema {
  const schema = buildSchema(sdl);
  const leaf = (name: string) => ({
    name,
    count: ({ by, wish }: { by: number; wish?: { of: number } }) => by * (wish?.of ?? 1),
    never: null,
    late: Promise.resolve(1.5),
    isLeaf: true,
  });
  const tree = () => ({
    name: Promise.resolve('tree'),
    sure: leaf('sure'),
    leaf: () => leaf('leaf'),
    tree,
    lateTree: () => Promise.resolve().then(tree),
    leaves: [leaf('a'), Promise.resolve(leaf('b'))],
    maybes: () => new Set([leaf('c'), null, new Error('item'), Promise.reject(new Error('late item'))]),
    lateLeaves: async () => [leaf('d'), null],
    numbers: [[1, 2], null, [Promise.resolve(3), 'x']],
    async *stream() {
      yield* [1, 2];
    },
    other: { name: 'no leaf' },
    fails: () => {
      throw new Error('fails');
    },
    failsLate: () => Promise.reject(new Error('fails late')),
    named: { __typename: 'Leaf', name: 'named' },
  });
  const fieldsOf = (type: string) =>
    (schema.getType(type) as never as { getFields(): Record<string, object> }).getFields();
  Object.assign(schema.getType('Leaf') as object, {
    isTypeOf: (value: object) => 'isLeaf' in value || '__typename' in value,
  });
  Object.assign(fieldsOf('Query')['tree'] ?? {}, { resolve: () => Promise.resolve(tree()) });
  Object.assign(fieldsOf('Query')['sure'] ?? {}, { resolve: tree });
  for (const name of ['echo', 'order']) {
    Object.assign(fieldsOf('Query')[name] ?? {}, {
      resolve: (_: unknown, args: object, context: object, info: { fieldName: string; path: { key: string } }) =>
        JSON.stringify([args, context, info.fieldName, info.path.key]),
    });
  }
  Object.assign(fieldsOf('Mutation')['first'] ?? {}, {
    resolve: async (_: unknown, __: unknown, { calls }: { calls: string[] }) => {
      calls.push('first began');
      await Promise.resolve();
      calls.push('first ended');
      return tree();
    },
  });
  Object.assign(fieldsOf('Mutation')['second'] ?? {}, {
    resolve: (_: unknown, __: unknown, { calls }: { calls: string[] }) => {
      calls.push('second');
      return tree();
    },
  });
  return schema;
}

const schema = schemaWith();

/** The errors in the order of their places: that of time is nobody's to promise. graphql-js also shows the wrong object. */
function settled({ errors, ...rest }: ExecutionResult): unknown {
  const shown = (errors ?? []).map((error) => JSON.stringify(error).replace(/ but got(?: another|: .*?\})\./, ''));
  return JSON.parse(JSON.stringify({ ...rest, errors: shown.sort() }));
}

/** The same operation by graphql-js, then often enough to be planned; gives the result that both have. */
async function both(
  text: string,
  variableValues: Record<string, unknown> = {},
  operationName?: string,
): Promise<ExecutionResult> {
  const document = parse(text);
  expect(validate(schema, document)).toEqual([]);
  const args = { schema, document, variableValues, operationName };
  const theirs = await execute({ ...args, contextValue: { calls: [] } });
  const ours = createExecute(requestLimits.cost);
  for (let n = 0; n < 5; n++)
    expect(settled(await ours({ ...args, contextValue: { calls: [] } }))).toEqual(settled(theirs));
  return theirs;
}

const leafField = fc.constantFrom(
  'name',
  'count',
  'c: count(by: 5)',
  'a: count(wish: { more: ["x"] })',
  'late',
  '__typename',
  '... on Named { name }',
  '...leaf',
);
const set = (fields: fc.Arbitrary<string>) =>
  fc.array(fields, { minLength: 1, maxLength: 5 }).map((all) => `{ ${all.join(' ')} }`);
const treeSet = fc.letrec<{ set: string; field: string }>((tie) => ({
  set: set(tie('field')),
  field: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom('name', '__typename', 'numbers', 'stream', 'fails', 'failsLate', 'x: fails', '...tree'),
    fc
      .tuple(fc.constantFrom('sure', 'leaf', 'leaves', 'maybes', 'lateLeaves', 'other'), set(leafField))
      .map((all) => all.join(' ')),
    fc
      .tuple(fc.constantFrom('tree', 'lateTree', 'b: tree', '... on Tree', '...'), tie('set'))
      .map((all) => all.join(' ')),
  ),
}));

test('what is planned has the results of graphql-js, errors and nulls included', async () => {
  const property = fc.assert(
    fc.asyncProperty(fc.constantFrom('tree', 'sure'), treeSet.set, async (root, selection) => {
      const fragments = [
        selection.includes('...leaf') ? 'fragment leaf on Leaf { name late }' : '',
        selection.includes('...tree') ? 'fragment tree on Tree { name sure { name } fails }' : '',
      ];
      await both(`{ ${root} ${selection} } ${fragments.join(' ')}`);
    }),
    { numRuns: 100 },
  );
  await expect(property).resolves.toBeUndefined();
});

test.each([
  ['null in the place of an object whose sure field fails', '{ tree { leaf { never } name } }'],
  ['null up to the next place that may be', '{ tree { name sure { never } } echo(text: "a") }'],
  ['no data when there is no such place', '{ sure { sure { never } } }'],
  ['null for a list with a null where none may be', '{ tree { lateLeaves { name } } }'],
  ['an error for an object of another type', '{ tree { other { name } } }'],
])('%s', async (_what, text) => {
  const { errors } = await both(text);
  expect(errors).toHaveLength(1);
});

test('mutations are carried out one after the other', async () => {
  const document = parse('mutation { first { name } second { name } }');
  const ours = createExecute(requestLimits.cost);
  for (let n = 0; n < 4; n++) {
    const calls: string[] = [];
    await ours({ schema, document, contextValue: { calls } });
    expect(calls).toEqual(['first began', 'first ended', 'second']);
  }
});

test('arguments, variables, aliases and what resolvers are told', async () => {
  const text = 'query A($t: String = "d", $l: [Int!]) { a: echo(text: $t, list: $l) echo } query B { echo(text: "b") }';
  await both(text, { l: [1, 2] }, 'A');
  await both(text, { t: null }, 'A');
  await both(text, {}, 'B');
  const { errors, data } = await both(text, { l: ['x'] }, 'A');
  expect([errors?.length, data]).toEqual([1, undefined]);
});

const orders = fc.letrec<{ order: Record<string, unknown> }>((tie) => ({
  order: fc.record(
    {
      color: fc.constantFrom('RED', 'GREEN', null, 'BLUE', 1),
      note: fc.constantFrom('a', null, undefined, 5),
      sure: fc.constantFrom(true, false, null),
      items: fc.constantFrom([[1, null], null], [], null, 3, [2], [['x']]),
      either: fc.constantFrom({ one: 1 }, { other: 'x' }, { one: null }, {}, { one: 1, other: 'x' }, null),
      wish: fc.constantFrom({}, { of: 2 }, { of: null }, { more: ['x'] }, { more: [null] }, [], 'x'),
      next: fc.oneof(
        { maxDepth: 2 },
        fc.constantFrom([], null),
        fc.array(tie('order'), { maxLength: 2 }),
        tie('order'),
      ),
      unknown: fc.constantFrom(undefined, 1),
      toString: fc.constant(1),
    },
    { requiredKeys: [] },
  ),
}));
/** Mostly right: of values that are all random, hardly one would be taken. */
const rightOrder = orders.order.map(({ note, items, either, next }) => ({
  sure: true,
  ...(typeof note === 'string' && { note }),
  ...(Array.isArray(items) && items.length === 0 && { items }),
  ...(either !== undefined && Object.keys(either ?? {}).length === 1 && { either }),
  ...(Array.isArray(next) && next.length === 0 && { next }),
}));

test('variables reach resolvers as by graphql-js, and what is wrong with them is told alike', async () => {
  const text = `query ($order: Order, $orders: [Order!]!, $at: Float) {
    order(order: $order, orders: $orders, at: $at) same: order(orders: $orders) part: order(order: { sure: true, next: $orders }, orders: [])
  }`;
  const order = fc.oneof(rightOrder, rightOrder, rightOrder, orders.order);
  let taken = 0;
  const property = fc.asyncProperty(
    fc.record(
      { order, orders: fc.oneof(fc.array(order, { maxLength: 2 }), order), at: fc.constantFrom(1, 2.5, null, 'x') },
      { requiredKeys: ['orders'] },
    ),
    async (variables) => {
      if (!(await both(text, variables)).errors) taken += 1;
    },
  );
  await fc.assert(property, { numRuns: 300 });
  expect(taken).toBeGreaterThan(30);
});

test.each([
  [
    'directives',
    '{ tree { name @skip(if: true) sure { name @include(if: false) count } ... @include(if: true) { name } } }',
  ],
  ['fields of an interface', '{ tree { named { name __typename } } }'],
  ['introspection', '{ __schema { queryType { name } } __type(name: "Leaf") { fields { name } } }'],
  ['a name that is no member', '{ __proto__: echo tree { __proto__: name } }'],
])('%s work too', async (_what, text) => {
  expect((await both(text)).data).toBeTruthy();
});
