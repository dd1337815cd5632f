import fc from 'fast-check';
import type { Answer, Api } from '../conformance/api.ts';
import { type Kind, kinds, contentOf, partOf } from './objects.ts';

export interface Step {
  how: 'create' | 'apply' | 'replace' | 'merge' | 'strategic' | 'json' | 'delete';
  manager: string;
  force: boolean;
  body: unknown;
}

/** What several managers do to one object. */
export interface Story {
  /** The path of its kind, with `{namespace}` in it. */
  collection: string;
  steps: readonly Step[];
}

const operations = fc.constantFrom<object[]>(
  [{ op: 'add', path: '/metadata/labels', value: { z: '1' } }],
  [{ op: 'remove', path: '/metadata/labels/a' }],
  [{ op: 'replace', path: '/data/a', value: '9' }],
  [{ op: 'add', path: '/spec/ports/-', value: { name: 'y', port: 99 } }],
  [{ op: 'remove', path: '/spec/template/spec/containers/0' }],
  [{ op: 'test', path: '/kind', value: 'ConfigMap' }],
);

function stepOf(kind: Kind): fc.Arbitrary<Step> {
  const { apiVersion, kind: name } = kind;
  const content = contentOf(kind);
  const whole = content.map((fields) => ({ apiVersion, kind: name, ...fields }));
  const part = content.chain(partOf);
  // Custom resources have no strategic merge patch.
  const partial = fc.constantFrom<Step['how']>('merge', kind.apiVersion.includes('.') ? 'merge' : 'strategic');
  const means = fc.oneof(
    { weight: 4, arbitrary: whole.map((body) => ({ how: 'apply' as const, body })) },
    { weight: 1, arbitrary: whole.map((body) => ({ how: 'create' as const, body })) },
    { weight: 1, arbitrary: whole.map((body) => ({ how: 'replace' as const, body })) },
    { weight: 3, arbitrary: fc.tuple(partial, part).map(([how, body]) => ({ how, body })) },
    { weight: 1, arbitrary: operations.map((body) => ({ how: 'json' as const, body })) },
    { weight: 1, arbitrary: fc.constant({ how: 'delete' as const, body: undefined }) },
  );
  return fc
    .tuple(means, fc.constantFrom('one', 'two', 'three'), fc.boolean())
    .map(([step, manager, force]) => ({ ...step, manager, force }));
}

export const stories: fc.Arbitrary<Story> = fc
  .constantFrom(...kinds)
  .chain((kind) =>
    fc.array(stepOf(kind), { minLength: 2, maxLength: 7 }).map((steps) => ({ collection: kind.path, steps })),
  );

/** Does a step to the object `name` of a collection. */
export function take(api: Api, collection: string, name: string, { how, manager, force, body }: Step): Promise<Answer> {
  const path = `${collection}/${name}`;
  const query = { fieldManager: manager };
  const named = () => {
    const object = body as { metadata: object };
    return { ...object, metadata: { ...object.metadata, name } };
  };
  switch (how) {
    case 'create':
      return api.post(collection, named(), { query });
    case 'apply':
      return api.apply(path, manager, named(), { query: { force } });
    case 'replace':
      return api.put(path, named(), { query });
    case 'merge':
      return api.mergePatch(path, body, { query });
    case 'strategic':
      return api.strategicPatch(path, body, { query });
    case 'json':
      return api.jsonPatch(path, body, { query });
    default:
      return api.delete(path);
  }
}
