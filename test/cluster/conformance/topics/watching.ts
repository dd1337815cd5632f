import { expect } from 'vitest';
import { configMaps, httpRoutes, pods } from '../../../../src/k8s/resources.ts';
import type { WatchEvent } from '../api.ts';
import { configMap, httpRoute, pod } from '../objects.ts';
import type { Topic, World } from '../suite.ts';

/** The version of a list that is up to date now. */
async function present({ api, path }: World): Promise<string> {
  return (await api.get(path(configMaps))).list.metadata.resourceVersion;
}

const brief = ({ type, object }: { type: string; object: { metadata: { name: string } } }) =>
  `${type} ${object.metadata.name}`;

export const watching: Topic = {
  name: 'watch',
  cases: {
    'changes after a version come in their order': async (world) => {
      const { api, path } = world;
      const resourceVersion = await present(world);
      await using watch = await api.watch(path(configMaps), { resourceVersion });
      await api.post(path(configMaps), configMap('lived'));
      await api.mergePatch(path(configMaps, 'lived'), { data: { a: '2' } });
      await api.delete(path(configMaps, 'lived'));
      expect([await watch.next(), await watch.next(), await watch.next()].map(brief)).toEqual([
        'ADDED lived',
        'MODIFIED lived',
        'DELETED lived',
      ]);
    },
    'what happened since a version is told first': async (world) => {
      const { api, path } = world;
      const resourceVersion = await present(world);
      await api.post(path(configMaps), configMap('missed'));
      await api.mergePatch(path(configMaps, 'missed'), { data: { a: '2' } });
      await using watch = await api.watch(path(configMaps), { resourceVersion });
      expect(await watch.next()).toMatchObject({ type: 'ADDED', object: { data: { a: '1' } } });
      expect(await watch.next()).toMatchObject({ type: 'MODIFIED', object: { data: { a: '2' } } });
    },
    'a watch goes on after the last version it saw': async (world) => {
      const { api, path } = world;
      const made = (await api.post(path(configMaps), configMap('resumed'))).object;
      await api.mergePatch(path(configMaps, 'resumed'), { data: { a: '2' } });
      await using watch = await api.watch(path(configMaps), { resourceVersion: made.metadata.resourceVersion });
      expect(await watch.next()).toMatchObject({ type: 'MODIFIED', object: { metadata: { name: 'resumed' } } });
    },
    'without a version what is there is told as added': async ({ api, path }) => {
      await api.post(path(configMaps), configMap('there'));
      await using watch = await api.watch(path(configMaps), { fieldSelector: 'metadata.name=there' });
      expect(brief(await watch.next())).toBe('ADDED there');
      await api.mergePatch(path(configMaps, 'there'), { data: { a: '2' } });
      expect(brief(await watch.next())).toBe('MODIFIED there');
    },
    'version 0 tells what is there': async ({ api, path }) => {
      await api.post(path(configMaps), configMap('zero'));
      await using watch = await api.watch(path(configMaps), {
        fieldSelector: 'metadata.name=zero',
        resourceVersion: '0',
      });
      expect(brief(await watch.next())).toBe('ADDED zero');
    },
    'events carry whole objects with their type': async (world) => {
      const { api, path } = world;
      const resourceVersion = await present(world);
      await using watch = await api.watch(path(configMaps), { resourceVersion });
      const made = (await api.post(path(configMaps), configMap('whole'))).object;
      expect((await watch.next()).object).toEqual(made);
    },
    'the last state of a deleted object has the version of its deletion': async ({ api, path }) => {
      const made = (await api.post(path(configMaps), configMap('gone', { a: 'last' }))).object;
      await using watch = await api.watch(path(configMaps), { resourceVersion: made.metadata.resourceVersion });
      await api.delete(path(configMaps, 'gone'));
      const { type, object } = await watch.next();
      expect(type).toBe('DELETED');
      expect(object.data).toEqual({ a: 'last' });
      expect(Number(object.metadata.resourceVersion)).toBeGreaterThan(Number(made.metadata.resourceVersion));
    },
    'an object that is made again has another uid': async ({ api, path }) => {
      const first = (await api.post(path(configMaps), configMap('again'))).object;
      await using watch = await api.watch(path(configMaps), { resourceVersion: first.metadata.resourceVersion });
      await api.delete(path(configMaps, 'again'));
      const second = (await api.post(path(configMaps), configMap('again'))).object;
      const [gone, added] = [await watch.next(), await watch.next()];
      expect([gone, added].map(brief)).toEqual(['DELETED again', 'ADDED again']);
      expect([gone.object.metadata.uid, added.object.metadata.uid]).toEqual([first.metadata.uid, second.metadata.uid]);
    },
    'an object that comes into the selection is added': async ({ api, path }) => {
      const made = (await api.post(path(configMaps), configMap('moving-in'))).object;
      await using watch = await api.watch(path(configMaps), {
        labelSelector: 'in=yes',
        resourceVersion: made.metadata.resourceVersion,
      });
      await api.mergePatch(path(configMaps, 'moving-in'), { metadata: { labels: { in: 'yes' } } });
      expect(brief(await watch.next())).toBe('ADDED moving-in');
    },
    'an object that leaves the selection is deleted, as it was before': async ({ api, path }) => {
      const made = (await api.post(path(configMaps), configMap('moving-out', {}, { labels: { in: 'yes' } }))).object;
      await using watch = await api.watch(path(configMaps), {
        labelSelector: 'in=yes',
        resourceVersion: made.metadata.resourceVersion,
      });
      const left = await api.mergePatch(path(configMaps, 'moving-out'), { metadata: { labels: { in: 'no' } } });
      const { type, object } = await watch.next();
      expect(type).toBe('DELETED');
      expect(object.metadata.labels).toEqual({ in: 'yes' });
      expect(object.metadata.resourceVersion).toBe(left.object.metadata.resourceVersion);
    },
    'a change inside of the selection is a change': async ({ api, path }) => {
      const made = (await api.post(path(configMaps), configMap('staying', {}, { labels: { in: 'yes' } }))).object;
      await using watch = await api.watch(path(configMaps), {
        labelSelector: 'in=yes',
        resourceVersion: made.metadata.resourceVersion,
      });
      await api.post(path(configMaps), configMap('outside-of-it'));
      await api.mergePatch(path(configMaps, 'staying'), { data: { a: '2' } });
      expect(brief(await watch.next())).toBe('MODIFIED staying');
    },
    'a field selector follows the fields': async ({ api, path }) => {
      const made = (await api.post(path(pods), pod('phased'))).object;
      await using watch = await api.watch(path(pods), {
        fieldSelector: 'status.phase=Running',
        resourceVersion: made.metadata.resourceVersion,
      });
      await api.mergePatch(path(pods, 'phased', 'status'), { status: { phase: 'Running' } });
      await api.mergePatch(path(pods, 'phased', 'status'), { status: { phase: 'Failed' } });
      // The scheduler may write into its status too.
      const events = [await watch.next(), await watch.until(({ type }) => type !== 'MODIFIED')];
      expect(events.map(brief)).toEqual(['ADDED phased', 'DELETED phased']);
    },
    'one object is watched as a selection of its kind': async ({ api, path }) => {
      const made = (await api.post(path(configMaps), configMap('alone'))).object;
      // On the path of an object the parameter means nothing.
      expect((await api.get(path(configMaps, 'alone'), { query: { watch: true } })).object).toEqual(made);
      await using watch = await api.watch(path(configMaps), {
        fieldSelector: 'metadata.name=alone',
        resourceVersion: made.metadata.resourceVersion,
      });
      await api.post(path(configMaps), configMap('not-alone'));
      await api.mergePatch(path(configMaps, 'alone'), { data: { a: '2' } });
      expect(brief(await watch.next())).toBe('MODIFIED alone');
    },
    'the stream ends after the asked time': async (world) => {
      await using watch = await world.api.watch(world.path(configMaps), {
        resourceVersion: await present(world),
        timeoutSeconds: 1,
      });
      expect(await watch.rest()).toEqual([]);
    },
    'a bookmark comes shortly before the end': async (world) => {
      const resourceVersion = await present(world);
      let bookmarks: WatchEvent[] = [];
      let timeoutSeconds = 0;
      // A server that is busy at that moment leaves it out.
      while (bookmarks.length === 0) {
        timeoutSeconds += 3;
        await using watch = await world.api.watch(world.path(configMaps), {
          resourceVersion,
          timeoutSeconds,
          allowWatchBookmarks: true,
        });
        bookmarks = await watch.rest();
      }
      expect(bookmarks[0]?.type).toBe('BOOKMARK');
      expect(bookmarks[0]?.object).toMatchObject({
        kind: 'ConfigMap',
        apiVersion: 'v1',
        metadata: { resourceVersion: expect.stringMatching(/^\d+$/) as string },
      });
      expect(Number(bookmarks[0]?.object.metadata.resourceVersion)).toBeGreaterThanOrEqual(Number(resourceVersion));
    },
    'initial events end with a bookmark that says so': async ({ api, path }) => {
      await api.post(path(configMaps), configMap('streamed', {}, { labels: { stream: 'yes' } }));
      await using watch = await api.watch(path(configMaps), {
        labelSelector: 'stream=yes',
        sendInitialEvents: true,
        resourceVersionMatch: 'NotOlderThan',
        allowWatchBookmarks: true,
      });
      expect(brief(await watch.next())).toBe('ADDED streamed');
      expect(await watch.next()).toMatchObject({
        type: 'BOOKMARK',
        object: { metadata: { annotations: { 'k8s.io/initial-events-end': 'true' } } },
      });
      await api.mergePatch(path(configMaps, 'streamed'), { data: { a: '2' } });
      expect(brief(await watch.until(({ type }) => type !== 'BOOKMARK'))).toBe('MODIFIED streamed');
    },
    'initial events need a version match': async ({ api, path }) => {
      const { failure } = await api.get(path(configMaps), { query: { watch: true, sendInitialEvents: true } });
      expect(failure).toMatchObject({
        code: 422,
        message:
          'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan',
      });
    },
    'a version match without initial events is refused': async ({ api, path }) => {
      const query = { watch: true, resourceVersionMatch: 'NotOlderThan', resourceVersion: '1' };
      expect((await api.get(path(configMaps), { query })).failure).toMatchObject({
        code: 422,
        message:
          'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided',
      });
    },
    'initial events are for watches only': async ({ api, path }) => {
      const query = { sendInitialEvents: true };
      expect((await api.get(path(configMaps), { query })).failure).toMatchObject({
        code: 422,
        message:
          'ListOptions.meta.k8s.io "" is invalid: sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list',
      });
    },
    'a version that is no number is refused': async ({ api, path }) => {
      const { failure } = await api.get(path(configMaps), { query: { watch: true, resourceVersion: 'now' } });
      expect(failure.message).toBe(
        'resourceVersion: Invalid value: "now": strconv.ParseUint: parsing "now": invalid syntax',
      );
    },
    'a selector that can not be read is refused': async ({ api, path }) => {
      const query = { watch: true, fieldSelector: 'data.a=1' };
      (await api.get(path(configMaps), { query })).refuses(
        400,
        'BadRequest',
        '"data.a" is not a known field selector: only "metadata.name", "metadata.namespace"',
      );
    },
    'custom resources are watched as others are': async ({ api, path }) => {
      const made = (await api.post(path(httpRoutes), httpRoute('watched'))).object;
      await using watch = await api.watch(path(httpRoutes), { resourceVersion: made.metadata.resourceVersion });
      await api.mergePatch(path(httpRoutes, 'watched'), { spec: { hostnames: ['a.example'] } });
      await api.delete(path(httpRoutes, 'watched'));
      expect([await watch.next(), await watch.next()].map(brief)).toEqual(['MODIFIED watched', 'DELETED watched']);
    },
    'events are lines of JSON': async (world) => {
      await using watch = await world.api.watch(world.path(configMaps), { resourceVersion: await present(world) });
      expect(watch.contentType).toBe('application/json');
    },
  },
};
