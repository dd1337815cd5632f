import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { namespaces, resourcePath } from '../../src/k8s/resources.ts';
import { createWorld, type World } from '../k8s/embedded/api/world.ts';
import { Api } from './conformance/api.ts';
import { outcomeOf } from './differential/outcome.ts';
import { stories, take } from './differential/steps.ts';
import { realTarget } from './target.ts';

/** Beyond the named cases: whatever managers do to an object, both servers say and keep the same. */
describe('the embedded API and a real one', () => {
  let embedded: World;
  let real: Api;
  let namespace: string;
  let objects = 0;

  beforeAll(async () => {
    embedded = await createWorld();
    real = new Api(realTarget());
    const made = await real.post(resourcePath(namespaces), { metadata: { generateName: 'differential-' } });
    namespace = made.object.metadata.name;
    await embedded.api.post(resourcePath(namespaces), { metadata: { name: namespace } });
  });
  afterAll(async () => {
    await real.delete(resourcePath(namespaces, undefined, namespace));
    await real.close();
    await embedded[Symbol.asyncDispose]();
  });

  it('agree on every step of a hundred stories', async () => {
    const told = fc.asyncProperty(stories, async (story) => {
      const collection = story.collection.replace('{namespace}', namespace);
      const name = `object-${objects++}`;
      for (const step of story.steps) {
        const [mine, theirs] = await Promise.all([embedded.api, real].map((api) => take(api, collection, name, step)));
        expect(mine && outcomeOf(mine)).toEqual(theirs && outcomeOf(theirs));
      }
    });
    await fc.assert(told, {
      numRuns: 100,
      seed: Number(process.env['SLIPWAY_TEST_SEED'] ?? 1),
    });
  });
});
