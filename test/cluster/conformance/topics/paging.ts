import { expect } from 'vitest';
import { configMaps } from '../../../../src/k8s/resources.ts';
import { configMap } from '../objects.ts';
import type { Topic, World } from '../suite.ts';

const pageable = { labelSelector: 'pages=yes' };
const names = ['page-1', 'page-2', 'page-3', 'page-4', 'page-5'];

async function five({ api, path }: World): Promise<void> {
  for (const name of names) await api.post(path(configMaps), configMap(name, {}, { labels: { pages: 'yes' } }));
}

export const paging: Topic = {
  name: 'paging',
  cases: {
    'pages follow each other until there is no more': async (world) => {
      await five(world);
      const { api, path } = world;
      const seen: string[] = [];
      const sizes: number[] = [];
      let token: string | undefined;
      do {
        const { items, metadata } = (
          await api.get(path(configMaps), { query: { ...pageable, limit: 2, ...(token && { continue: token }) } })
        ).list;
        seen.push(...items.map((item) => item.metadata.name));
        sizes.push(items.length);
        token = metadata.continue;
      } while (token);
      expect(seen).toEqual(names);
      expect(sizes).toEqual([2, 2, 1]);
    },
    'pages of one list are of one version': async (world) => {
      await five(world);
      const { api, path } = world;
      const first = (await api.get(path(configMaps), { query: { ...pageable, limit: 3 } })).list;
      await api.post(path(configMaps), configMap('page-4a', {}, { labels: { pages: 'yes' } }));
      await api.mergePatch(path(configMaps, 'page-5'), { data: { changed: 'later' } });
      const second = (
        await api.get(path(configMaps), { query: { ...pageable, limit: 3, continue: first.metadata.continue ?? '' } })
      ).list;
      expect(second.items.map((item) => item.metadata.name)).toEqual(['page-4', 'page-5']);
      expect(second.items[1]).not.toHaveProperty('data');
      expect(second.metadata.resourceVersion).toBe(first.metadata.resourceVersion);
      await api.delete(path(configMaps, 'page-4a'));
    },
    'what is left is counted when there is no selector': async (world) => {
      await five(world);
      const { api, path } = world;
      const all = (await api.get(path(configMaps))).list;
      const { items, metadata } = (await api.get(path(configMaps), { query: { limit: 2 } })).list;
      expect(items).toHaveLength(2);
      expect(metadata.remainingItemCount).toBe(all.items.length - 2);
    },
    'with a selector nothing is counted': async (world) => {
      await five(world);
      const { metadata } = (await world.api.get(world.path(configMaps), { query: { ...pageable, limit: 2 } })).list;
      expect(metadata.continue).toBeTruthy();
      expect(metadata).not.toHaveProperty('remainingItemCount');
    },
    'a limit as large as the list ends it': async (world) => {
      await five(world);
      const { metadata } = (await world.api.get(world.path(configMaps), { query: { ...pageable, limit: 50 } })).list;
      expect(metadata).toEqual({ resourceVersion: expect.any(String) as string });
    },
    'a token that is none': async ({ api, path }) => {
      const { failure } = await api.get(path(configMaps), { query: { limit: 2, continue: 'nonsense' } });
      expect(failure).toMatchObject({
        code: 400,
        reason: 'BadRequest',
        message: expect.stringMatching(/^invalid continue token: continue key is not valid: /) as string,
      });
    },
    'a token together with a version': async (world) => {
      await five(world);
      const { api, path } = world;
      const { metadata } = (await api.get(path(configMaps), { query: { ...pageable, limit: 2 } })).list;
      const query = { limit: 2, continue: metadata.continue ?? '', resourceVersion: metadata.resourceVersion };
      (await api.get(path(configMaps), { query })).refuses(
        400,
        'BadRequest',
        'specifying resource version is not allowed when using continue',
      );
    },
    'a list at an exact version shows what was there then': async (world) => {
      await five(world);
      const { api, path } = world;
      const then = (await api.get(path(configMaps), { query: pageable })).list;
      await api.mergePatch(path(configMaps, 'page-1'), { data: { later: 'yes' } });
      const exact = { ...pageable, resourceVersion: then.metadata.resourceVersion, resourceVersionMatch: 'Exact' };
      const again = (await api.get(path(configMaps), { query: exact })).list;
      expect(again.items).toEqual(then.items);
      expect(again.metadata.resourceVersion).toBe(then.metadata.resourceVersion);
    },
    'a list not older than a version is at least of that version': async ({ api, path }) => {
      const { metadata } = (await api.post(path(configMaps), configMap('fresh'))).object;
      const query = { resourceVersion: metadata.resourceVersion, resourceVersionMatch: 'NotOlderThan' };
      const { items } = (await api.get(path(configMaps), { query })).list;
      expect(items.map((item) => item.metadata.name)).toContain('fresh');
    },
    'a match without a version': async ({ api, path }) => {
      (await api.get(path(configMaps), { query: { resourceVersionMatch: 'Exact' } })).refuses(
        422,
        'Invalid',
        'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided',
        {
          group: 'meta.k8s.io',
          kind: 'ListOptions',
          causes: [
            {
              reason: 'FieldValueForbidden',
              message: 'Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided',
              field: 'resourceVersionMatch',
            },
          ],
        },
      );
    },
    'an exact match of version 0': async ({ api, path }) => {
      const query = { resourceVersion: '0', resourceVersionMatch: 'Exact' };
      expect((await api.get(path(configMaps), { query })).failure.message).toBe(
        'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0"',
      );
    },
    'a match of an unknown kind': async ({ api, path }) => {
      const query = { resourceVersion: '1', resourceVersionMatch: 'Roughly' };
      expect((await api.get(path(configMaps), { query })).failure.message).toBe(
        'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Unsupported value: "Roughly": supported values: "Exact", "NotOlderThan", ""',
      );
    },
    'a version that is no number': async ({ api, path }) => {
      const { failure } = await api.get(path(configMaps), { query: { resourceVersion: 'new' } });
      expect(failure).toMatchObject({
        code: 400,
        reason: 'BadRequest',
        message:
          'invalid resource version: resourceVersion: Invalid value: "new": strconv.ParseUint: parsing "new": invalid syntax',
      });
    },
    'a version of the future': async ({ api, path }) => {
      const { failure } = await api.get(path(configMaps), { query: { resourceVersion: '999999999999' } });
      expect(failure).toMatchObject({
        code: 504,
        reason: 'Timeout',
        message: expect.stringMatching(/^Timeout: Too large resource version: 999999999999, current: \d+$/) as string,
        details: { causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }] },
      });
    },
  },
};
