import { expect } from 'vitest';
import {
  configMaps,
  deployments,
  httpRoutes,
  pods,
  type Resource,
  securityPolicies,
  services,
} from '../../../../src/k8s/resources.ts';
import { configMap, deployment, httpRoute, pod, securityPolicy, service } from '../objects.ts';
import type { Topic, World } from '../suite.ts';

const asTable = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';
const asMetadata = 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,application/json';
const asMetadataList = 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json';

interface Table {
  kind: string;
  apiVersion: string;
  metadata: { resourceVersion: string };
  columnDefinitions: { name: string; type: string; format: string; description: string; priority: number }[];
  rows: { cells: unknown[]; object: { kind: string; metadata: { name: string } } | null }[];
}

async function table({ api, path }: World, resource: Resource, name: string, query: Record<string, string> = {}) {
  const answer = await api.get(path(resource, name), { accept: asTable, query });
  return answer.json as Table;
}

/** `Name Ready Up-to-date (Containers)`: what is in brackets is shown with `-o wide`. */
const columnsOf = ({ columnDefinitions }: Table) =>
  columnDefinitions.map(({ name, priority }) => (priority > 0 ? `(${name})` : name)).join(' ');

export const tables: Topic = {
  name: 'tables and metadata',
  cases: {
    'a list as a table': async (world) => {
      const { api, path } = world;
      await api.post(path(configMaps), configMap('listed', { a: '1', b: '2' }));
      const answer = await api.get(path(configMaps), {
        accept: asTable,
        query: { fieldSelector: 'metadata.name=listed' },
      });
      expect(answer.headers['content-type']).toBe('application/json');
      const { kind, apiVersion, metadata, columnDefinitions, rows } = answer.json as Table;
      expect({ kind, apiVersion }).toEqual({ kind: 'Table', apiVersion: 'meta.k8s.io/v1' });
      expect(metadata.resourceVersion).toMatch(/^\d+$/);
      expect(columnDefinitions[0]).toMatchObject({ name: 'Name', type: 'string', format: 'name', priority: 0 });
      expect(columnDefinitions.every(({ description }) => description.length > 0)).toBe(true);
      expect(rows).toMatchObject([
        {
          cells: ['listed', 2, expect.stringMatching(/^\d+s$/)],
          object: { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: { name: 'listed' } },
        },
      ]);
    },
    'rows with whole objects, or without any': async (world) => {
      await world.api.post(world.path(configMaps), configMap('included'));
      const whole = await table(world, configMaps, 'included', { includeObject: 'Object' });
      expect(whole.rows[0]?.object).toMatchObject({ kind: 'ConfigMap', data: { a: '1' } });
      const none = await table(world, configMaps, 'included', { includeObject: 'None' });
      expect(none.rows[0]?.object).toBeNull();
    },
    'an unknown way to include objects': async ({ api, path }) => {
      await api.post(path(configMaps), configMap('misincluded'));
      const answer = await api.get(path(configMaps, 'misincluded'), {
        accept: asTable,
        query: { includeObject: 'Some' },
      });
      answer.refuses(
        400,
        'BadRequest',
        "Unable to convert to Table as requested: includeObject: Invalid value: \"Some\": must be 'Metadata', 'Object', 'None', or empty",
      );
    },
    'columns of Deployments': async (world) => {
      await world.api.post(world.path(deployments), deployment('web'));
      const found = await table(world, deployments, 'web');
      expect(columnsOf(found)).toBe('Name Ready Up-to-date Available Age (Containers) (Images) (Selector)');
      expect(found.rows[0]?.cells).toEqual(['web', '0/0', 0, 0, expect.any(String), 'main', 'web:1', 'app=web']);
    },
    'columns of Pods': async (world) => {
      await world.api.post(world.path(pods), pod('web'));
      const found = await table(world, pods, 'web');
      expect(columnsOf(found)).toBe('Name Ready Status Restarts Age (IP) (Node) (Nominated Node) (Readiness Gates)');
      expect(found.rows[0]?.cells).toEqual([
        'web',
        '0/1',
        'Pending',
        '0',
        expect.any(String),
        '<none>',
        '<none>',
        '<none>',
        '<none>',
      ]);
    },
    'the status of a Pod in one word': async (world) => {
      const { api, path } = world;
      const word = async (name: string, status: object) => {
        await api.post(path(pods), pod(name));
        await api.strategicPatch(path(pods, name, 'status'), { status });
        const [row] = (await table(world, pods, name)).rows;
        return row?.cells.slice(1, 4).join(' ');
      };
      const container = (more: object) => ({
        name: 'main',
        image: 'web:1',
        imageID: '',
        ready: false,
        restartCount: 0,
        ...more,
      });
      const waiting = (reason: string) => ({ containerStatuses: [container({ state: { waiting: { reason } } })] });
      expect(await word('image', waiting('ImagePullBackOff'))).toBe('0/1 ImagePullBackOff 0');
      expect(await word('crash', { phase: 'Running', ...waiting('CrashLoopBackOff') })).toBe('0/1 CrashLoopBackOff 0');
      const running = { running: { startedAt: '2026-01-01T00:00:00Z' } };
      expect(
        await word('good', { phase: 'Running', containerStatuses: [container({ ready: true, state: running })] }),
      ).toBe('1/1 Running 0');
      expect(
        await word('done', {
          phase: 'Succeeded',
          containerStatuses: [container({ state: { terminated: { exitCode: 0, reason: 'Completed' } } })],
        }),
      ).toBe('0/1 Completed 0');
      expect(
        await word('killed', {
          phase: 'Failed',
          containerStatuses: [container({ state: { terminated: { exitCode: 137, reason: 'OOMKilled' } } })],
        }),
      ).toBe('0/1 OOMKilled 0');
    },
    'columns of Services': async (world) => {
      await world.api.post(
        world.path(services),
        service('outside', { type: 'ExternalName', externalName: 'a.example' }),
      );
      const found = await table(world, services, 'outside');
      expect(columnsOf(found)).toBe('Name Type Cluster-IP External-IP Port(s) Age (Selector)');
      expect(found.rows[0]?.cells).toEqual([
        'outside',
        'ExternalName',
        '<none>',
        'a.example',
        '80/TCP',
        expect.any(String),
        '<none>',
      ]);
    },
    'columns of HTTPRoutes': async (world) => {
      await world.api.post(world.path(httpRoutes), httpRoute('web', { hostnames: ['a.example', 'b.example'] }));
      const found = await table(world, httpRoutes, 'web');
      expect(columnsOf(found)).toBe('Name Hostnames Age');
      expect(found.rows[0]?.cells).toEqual(['web', '["a.example","b.example"]', expect.stringMatching(/^\d+s$/)]);
    },
    'columns of SecurityPolicies': async (world) => {
      await world.api.post(world.path(securityPolicies), securityPolicy('web'));
      const found = await table(world, securityPolicies, 'web');
      expect(columnsOf(found)).toBe('Name Age');
      expect(found.columnDefinitions[1]).toMatchObject({ type: 'date' });
    },
    'a watch as tables names the columns once': async ({ api, path }) => {
      const made = (await api.post(path(configMaps), configMap('streamed'))).object;
      await using watch = await api.watch(
        path(configMaps),
        { fieldSelector: 'metadata.name=streamed', resourceVersion: made.metadata.resourceVersion },
        { accept: asTable },
      );
      await api.mergePatch(path(configMaps, 'streamed'), { data: { a: '2' } });
      await api.mergePatch(path(configMaps, 'streamed'), { data: { a: '3' } });
      const [first, second] = [await watch.next(), await watch.next()];
      expect(first).toMatchObject({
        type: 'MODIFIED',
        object: { kind: 'Table', rows: [{ cells: ['streamed', 1, expect.any(String)] }] },
      });
      expect((first.object as unknown as Table).columnDefinitions).toHaveLength(3);
      expect(second.object).toMatchObject({ columnDefinitions: null });
    },
    'metadata alone': async ({ api, path }) => {
      const made = (await api.post(path(configMaps), configMap('bare'))).object;
      expect((await api.get(path(configMaps, 'bare'), { accept: asMetadata })).json).toEqual({
        kind: 'PartialObjectMetadata',
        apiVersion: 'meta.k8s.io/v1',
        metadata: made.metadata,
      });
    },
    'a list of metadata': async ({ api, path }) => {
      await api.post(path(configMaps), configMap('bare-item'));
      const answer = await api.get(path(configMaps), {
        accept: asMetadataList,
        query: { fieldSelector: 'metadata.name=bare-item' },
      });
      expect(answer.json).toMatchObject({
        kind: 'PartialObjectMetadataList',
        apiVersion: 'meta.k8s.io/v1',
        items: [{ metadata: { name: 'bare-item' } }],
      });
      expect(answer.text).not.toContain('"data"');
    },
    'a create can be answered as a table': async ({ api, path }) => {
      const answer = await api.post(path(configMaps), configMap('answered'), { accept: asTable });
      expect(answer.code).toBe(201);
      expect(answer.json).toMatchObject({ kind: 'Table', rows: [{ cells: ['answered', 1, '0s'] }] });
    },
  },
};
