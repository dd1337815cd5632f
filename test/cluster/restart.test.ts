import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { configMaps, namespaces, resourcePath } from '../../src/k8s/resources.ts';
import { Api } from './conformance/api.ts';
import { configMap } from './conformance/objects.ts';
import { realTarget } from './target.ts';

const { apiServer } = inject('cluster');

let api: Api;
beforeAll(() => {
  api = new Api(realTarget());
});
afterAll(() => api.close());

describe.runIf(apiServer)('a restart of the API server', () => {
  it('ends watches, keeps objects, and makes versions from before too old', async () => {
    const { name } = (await api.post(resourcePath(namespaces), { metadata: { generateName: 'restart-' } })).object
      .metadata;
    const first = (await api.post(resourcePath(configMaps, name), configMap('first'))).object;
    const { resourceVersion } = (await api.get(resourcePath(configMaps, name))).list.metadata;
    await using watch = await api.watch(resourcePath(configMaps, name), { resourceVersion });
    await api.post(resourcePath(configMaps, name), configMap('second'));
    const answer = await fetch(`${apiServer}/restart`, { method: 'POST' });
    expect(answer.status).toBe(200);
    await watch.rest();
    expect((await api.get(resourcePath(configMaps, name, 'first'))).object).toEqual(first);
    await using resumed = await api.watch(resourcePath(configMaps, name), { resourceVersion: '1' });
    expect(await resumed.next()).toMatchObject({
      type: 'ERROR',
      object: {
        kind: 'Status',
        code: 410,
        reason: 'Expired',
        message: expect.stringMatching(/^too old resource version: 1 \(\d+\)$/) as string,
      },
    });
    await api.delete(resourcePath(namespaces, undefined, name));
  });
});
