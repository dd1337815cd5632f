import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { BootError, type Problem } from '../src/boot-error.ts';
import { moduleConfigs, readSettings } from '../src/config.ts';
import { type AnyModule, defineModule, manyRef, serviceRef } from '../src/module.ts';
import { environmentName, planModules } from '../src/registry.ts';

interface Greeter {
  greet(): string;
}
const Greeter = serviceRef<Greeter>('test.greeter');
const Listener = manyRef<Greeter>('test.listener');

const greeter = defineModule({
  name: 'greeter',
  provides: { greeter: Greeter },
  config: z.strictObject({ word: z.string().default('hello'), times: z.number().int().max(3).default(1) }),
  start: ({ config }) => ({ greeter: { greet: () => config.word.repeat(config.times) } }),
});
const user = defineModule({ name: 'user', needs: { greeter: Greeter } });
const listener = defineModule({
  name: 'listener',
  provides: { listeners: Listener },
  start: () => ({ listeners: [{ greet: () => 'hi' }] }),
});
const gatherer = defineModule({ name: 'gatherer', uses: { listeners: Listener } });

async function problemsOf(run: () => unknown): Promise<readonly Problem[]> {
  try {
    await run();
  } catch (error) {
    if (error instanceof BootError) return error.problems;
    throw error;
  }
  return [];
}

describe('planning modules', () => {
  test('providers start before their users, whatever the order of the list', async () => {
    const plan = await planModules([user, gatherer, greeter, listener], {});
    expect(plan.modules.map(({ module }) => module.name)).toEqual(['greeter', 'user', 'listener', 'gatherer']);
  });

  test('a missing need names the module and the ref', async () => {
    const problems = await problemsOf(() => planModules([user], {}));
    expect(problems).toMatchObject([{ module: 'user', message: expect.stringContaining('test.greeter') }]);
  });

  test('a cycle names its members', async () => {
    const A = serviceRef<Greeter>('test.a');
    const B = serviceRef<Greeter>('test.b');
    const service = { greet: () => '' };
    const a = defineModule({ name: 'a', provides: { a: A }, needs: { b: B }, start: () => ({ a: service }) });
    const b = defineModule({ name: 'b', provides: { b: B }, needs: { a: A }, start: () => ({ b: service }) });
    expect(await problemsOf(() => planModules([a, b], {}))).toMatchObject([
      { message: expect.stringContaining('a -> b -> a') },
    ]);
  });

  test('all problems of all modules come at once', async () => {
    const foreign = { name: 'foreign' } as AnyModule;
    const problems = await problemsOf(() =>
      planModules([greeter, greeter, user, foreign], { greeter: { times: 9, wrod: 'x' }, user: { any: 1 } }),
    );
    expect(problems.map((problem) => problem.module)).toEqual(
      expect.arrayContaining(['foreign', 'greeter', 'greeter', 'user']),
    );
    expect(problems.find((problem) => problem.field === 'times')?.remedy).toContain('SLIPWAY_GREETER_TIMES');
  });

  test('two providers of one ref are a problem, of a many ref not', async () => {
    const other = { ...greeter, name: 'other' } as AnyModule;
    expect(await problemsOf(() => planModules([greeter, other], {}))).toMatchObject([{ module: 'other' }]);
    const second = defineModule({ ...listener, name: 'second' });
    expect(await problemsOf(() => planModules([listener, second], {}))).toEqual([]);
  });
});

describe('configuration', () => {
  const read = (values: Record<string, unknown>, environment: Record<string, string>) =>
    moduleConfigs([greeter], [], { modules: null, values }, environment);

  test.each([
    ['gateways', 'domain', 'SLIPWAY_GATEWAYS_DOMAIN'],
    ['invoke', 'maxRequestBytes', 'SLIPWAY_INVOKE_MAX_REQUEST_BYTES'],
    ['@acme/cost', 'eurPerHour', 'SLIPWAY_ACME_COST_EUR_PER_HOUR'],
  ])('the variable of %s.%s is %s', (module, key, name) => {
    expect(environmentName(module, key)).toBe(name);
  });

  test('the environment wins over the file and gets the type of its key', () => {
    const { values, problems } = read(
      { greeter: { word: 'file', times: 1 } },
      { SLIPWAY_GREETER_WORD: '007', SLIPWAY_GREETER_TIMES: '2' },
    );
    expect([values, problems]).toEqual([{ greeter: { word: '007', times: 2 } }, []]);
  });

  test('an unknown key and an unknown variable are problems', () => {
    const { problems } = read({ greetr: {} }, { SLIPWAY_GREETER_WROD: 'x', SLIPWAY_PROT: '1' });
    expect(problems.map((problem) => problem.field)).toEqual(['greetr', 'SLIPWAY_GREETER_WROD', 'SLIPWAY_PROT']);
  });

  test('what Kubernetes injects for Services is not ours', () => {
    const links = {
      SLIPWAY_PORT: 'tcp://10.96.0.7:4000',
      SLIPWAY_SERVICE_HOST: '10.96.0.7',
      SLIPWAY_SERVICE_PORT: '4000',
      SLIPWAY_SERVICE_PORT_HTTP: '4000',
      SLIPWAY_PORT_4000_TCP: 'tcp://10.96.0.7:4000',
      SLIPWAY_PORT_4000_TCP_PROTO: 'tcp',
    };
    expect(readSettings(links).SLIPWAY_PORT).toBe(4000);
    expect(read({}, links).problems).toEqual([]);
  });

  test('every bad setting of the server is named at once', async () => {
    const problems = await problemsOf(() =>
      readSettings({ SLIPWAY_PORT: '70000', SLIPWAY_CLUSTER: 'mars', SLIPWAY_DEMO: 'perhaps' }),
    );
    expect(problems.map((problem) => problem.field)).toEqual(['SLIPWAY_PORT', 'SLIPWAY_CLUSTER', 'SLIPWAY_DEMO']);
  });
});
