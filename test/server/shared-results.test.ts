import { expect, test } from 'vitest';
import { defineModule } from '../../src/module.ts';
import { type Answer, startSurface } from '../modules/health/surface.ts';
import { run } from '../modules/health/world.ts';

/** Fields that tell how often they were asked, and for whom. */
function createProbe() {
  const asked = { times: 0 };
  const module = defineModule({
    name: 'probe',
    schema: (builder) => {
      builder.objectField('ServiceRun', 'probe', (t) =>
        t.string({ description: 'Counted.', resolve: () => `asked ${++asked.times}` }),
      );
      builder.objectField('ServiceRun', 'later', (t) =>
        t.string({ description: 'Counted, after a while.', resolve: async () => `asked ${++asked.times}` }),
      );
      builder.objectField('ServiceRun', 'mine', (t) =>
        t.string({ description: 'Personal.', resolve: async (_, __, context) => `of ${context.caller.name}` }),
      );
      builder.objectField('ServiceRun', 'broken', (t) =>
        t.string({
          description: 'Fails.',
          nullable: true,
          resolve: () => {
            throw new Error('secret detail');
          },
        }),
      );
    },
  });
  return { asked, module };
}

const watch = (fields: string, variables = '') =>
  `subscription (${variables} $after: String) { serviceHealthChanged(after: $after) { type cursor serviceRun { name ${fields} } } }`;

async function read(events: AsyncIterator<Answer>): Promise<Answer> {
  const { value } = (await events.next()) as IteratorResult<Answer, undefined>;
  if (!value) throw new Error('the stream has ended');
  return value;
}
/** The `serviceRun` of the next event. */
const runOf = async (events: AsyncIterator<Answer>) =>
  (await read(events)).data?.serviceHealthChanged.serviceRun as Record<string, unknown> | null | undefined;

test.each(['probe', 'later'])('a change is executed once for all subscribers of a document: %s', async (field) => {
  const { asked, module } = createProbe();
  await using surface = await startSurface({ modules: [module] });
  const query = watch(field);
  const all = [
    ...Array.from({ length: 3 }, () => surface.overWebSocket({}, undefined, { query })),
    surface.overSse({}, query),
  ];
  for (const events of all) expect((await read(events)).data?.serviceHealthChanged.type).toBe('SYNCED');
  surface.put(run('a'));
  surface.put(run('b'));
  for (const events of all) {
    expect(await runOf(events)).toEqual({ name: 'a', [field]: 'asked 1' });
    expect(await runOf(events)).toEqual({ name: 'b', [field]: 'asked 2' });
  }
  expect(asked.times).toBe(2);
  for (const events of all) await events.return?.();
});

test('those who come at once share the snapshot too', async () => {
  const { asked, module } = createProbe();
  await using surface = await startSurface({ modules: [module] });
  for (let index = 0; index < 20; index++) surface.put(run(`run-${index}`));
  const all = Array.from({ length: 4 }, () => surface.overWebSocket({}, undefined, { query: watch('probe') }));
  for (let index = 0; index < 20; index++) {
    for (const events of all) expect(await runOf(events)).toMatchObject({ name: `run-${index}` });
  }
  expect(asked.times).toBe(20);
});

test('what a resolver reads of its caller is shared with nobody else', async () => {
  const { module } = createProbe();
  await using surface = await startSurface({ modules: [module] });
  const names = ['ada', 'grace', 'ada'];
  const all = names.map((name) => surface.overWebSocket({}, undefined, { query: watch('mine'), name }));
  for (const events of all) await read(events);
  for (const name of ['a', 'b']) {
    surface.put(run(name));
    const told = await Promise.all(all.map(runOf));
    expect(told.map((item) => item?.['mine'])).toEqual(names.map((caller) => `of ${caller}`));
  }
});

test('variables of the fields tell results apart, those of the subscription itself do not', async () => {
  const { asked, module } = createProbe();
  await using surface = await startSurface({ modules: [module] });
  const query = watch('probe status { transitions(last: $last) { to } }', '$last: Int,');
  const cursor = await surface.overWebSocket({}, undefined, { query: watch('') }).next();
  const after = (cursor.value as Answer).data?.serviceHealthChanged.cursor;
  const all = [{ last: 1 }, { last: 2 }, { last: 2, after }].map((variables) =>
    surface.overWebSocket(variables, undefined, { query }),
  );
  for (const events of all) await read(events);
  surface.put(run('a', { health: 'PROGRESSING', since: 1000 }));
  surface.put(run('a', { health: 'HEALTHY', since: 2000 }));
  for (const events of all) await read(events);
  const [one, two, twoAgain] = await Promise.all(all.map(runOf));
  const transitions = [{ to: 'PROGRESSING' }, { to: 'HEALTHY' }];
  expect(one).toMatchObject({ status: { transitions: transitions.slice(1) } });
  expect(two).toMatchObject({ status: { transitions } });
  expect(twoAgain).toEqual(two);
  expect(asked.times).toBe(4);
});

test.each(['overWebSocket', 'overSse'] as const)(
  'an error of a field reaches everybody, without its detail: %s',
  async (transport) => {
    const { module } = createProbe();
    await using surface = await startSurface({ modules: [module] });
    const query = watch('broken');
    const open = () =>
      transport === 'overSse' ? surface.overSse({}, query) : surface.overWebSocket({}, undefined, { query });
    const all = [open(), open()];
    for (const events of all) await read(events);
    surface.put(run('a'));
    for (const events of all) {
      const answer = await read(events);
      expect(answer.data?.serviceHealthChanged.serviceRun).toEqual({ name: 'a', broken: null });
      expect(answer.errors).toMatchObject([{ extensions: { code: 'INTERNAL' } }]);
      expect(JSON.stringify(answer)).not.toContain('secret detail');
      await events.return?.();
    }
  },
);
