import { expect } from 'vitest';
import { configMaps, events, httpRoutes, pods, secrets, services } from '../../../../src/k8s/resources.ts';
import { configMap, pod, service } from '../objects.ts';
import type { Topic, World } from '../suite.ts';

/** Names of the ConfigMaps that a selection gives. */
async function selected({ api, path }: World, query: Record<string, string>): Promise<string[]> {
  const { items } = (await api.get(path(configMaps), { query })).list;
  return items.map(({ metadata }) => metadata.name).filter((name) => name.startsWith('selected-'));
}

/** Three objects that differ in their labels; made by the case that comes first. */
async function three({ api, path }: World): Promise<void> {
  await api.post(path(configMaps), configMap('selected-a', {}, { labels: { tier: 'front', app: 'web' } }));
  await api.post(path(configMaps), configMap('selected-b', {}, { labels: { tier: 'back', app: 'web' } }));
  await api.post(path(configMaps), configMap('selected-c', {}, { labels: { tier: 'back' } }));
}

async function selects(world: World, query: Record<string, string>, names: readonly string[]): Promise<void> {
  await three(world);
  expect(await selected(world, query)).toEqual(names);
}

const labelCases: readonly [sentence: string, selector: string, names: string[]][] = [
  ['equality', 'tier=front', ['selected-a']],
  ['equality with two signs', 'tier==front', ['selected-a']],
  ['inequality also takes what lacks the label', 'app!=web', ['selected-c']],
  ['several terms must all hold', 'app=web,tier=back', ['selected-b']],
  ['a set', 'tier in (front, back),app', ['selected-a', 'selected-b']],
  ['outside of a set', 'tier notin (front)', ['selected-b', 'selected-c']],
  ['the presence of a label', 'app', ['selected-a', 'selected-b']],
  ['the absence of a label', '!app', ['selected-c']],
  ['an empty selector takes all', '', ['selected-a', 'selected-b', 'selected-c']],
  ['no match', 'tier=top', []],
];

const fieldCases: readonly [sentence: string, selector: string, names: string[]][] = [
  ['the name', 'metadata.name=selected-b', ['selected-b']],
  ['not the name', 'metadata.name!=selected-b', ['selected-a', 'selected-c']],
  ['two terms', 'metadata.name!=selected-a,metadata.name!=selected-b', ['selected-c']],
  ['a name that no object has', 'metadata.name=other', []],
];

export const selecting: Topic = {
  name: 'selectors',
  cases: {
    ...Object.fromEntries(
      labelCases.map(([sentence, labelSelector, names]) => [
        `labels: ${sentence}`,
        (world: World) => selects(world, { labelSelector }, names),
      ]),
    ),
    ...Object.fromEntries(
      fieldCases.map(([sentence, fieldSelector, names]) => [
        `fields: ${sentence}`,
        (world: World) => selects(world, { fieldSelector }, names),
      ]),
    ),
    'labels: a selector that can not be read': async ({ api, path }) => {
      for (const labelSelector of ['a in b', 'a=-b', 'a b']) {
        const { failure } = await api.get(path(configMaps), { query: { labelSelector } });
        expect(failure).toMatchObject({ code: 400, reason: 'BadRequest' });
        expect(failure.message).toMatch(/^unable to parse requirement: /);
      }
    },
    'fields: a field that can not be selected by': async ({ api, path }) => {
      (await api.get(path(configMaps), { query: { fieldSelector: 'data.a=1' } })).refuses(
        400,
        'BadRequest',
        '"data.a" is not a known field selector: only "metadata.name", "metadata.namespace"',
      );
      (await api.get(path(pods), { query: { fieldSelector: 'spec.image=1' } })).refuses(
        400,
        'BadRequest',
        'field label not supported: spec.image',
      );
      (await api.get(path(httpRoutes), { query: { fieldSelector: 'spec.image=1' } })).refuses(
        400,
        'BadRequest',
        'field label not supported: spec.image',
      );
    },
    'fields: a selector without an operator': async ({ api, path }) => {
      (await api.get(path(configMaps), { query: { fieldSelector: 'metadata.name' } })).refuses(
        400,
        'BadRequest',
        "invalid selector: 'metadata.name'; can't understand 'metadata.name'",
      );
    },
    'fields: the phase and the node of Pods': async ({ api, path }) => {
      await api.post(path(pods), pod('pending'));
      const names = async (fieldSelector: string) =>
        (await api.get(path(pods), { query: { fieldSelector } })).list.items.map(({ metadata }) => metadata.name);
      expect(await names('status.phase=Pending,spec.nodeName=')).toEqual(['pending']);
      expect(await names('status.phase=Running')).toEqual([]);
      expect(await names('spec.restartPolicy=Always,spec.schedulerName=nobody')).toEqual(['pending']);
    },
    'fields: the type of Secrets': async ({ api, path }) => {
      await api.post(path(secrets), { metadata: { name: 'typed' }, type: 'example/token' });
      const { items } = (await api.get(path(secrets), { query: { fieldSelector: 'type=example/token' } })).list;
      expect(items.map(({ metadata }) => metadata.name)).toEqual(['typed']);
    },
    'fields: the type of Services': async ({ api, path }) => {
      await api.post(
        path(services),
        service('outside', { type: 'ExternalName', externalName: 'a.example', ports: [] }),
      );
      const { items } = (await api.get(path(services), { query: { fieldSelector: 'spec.type=ExternalName' } })).list;
      expect(items.map(({ metadata }) => metadata.name)).toEqual(['outside']);
    },
    'fields: what Events are about': async ({ api, path, namespace }) => {
      const event = (name: string, involved: string, type: string) => ({
        metadata: { name },
        involvedObject: { kind: 'Pod', name: involved, namespace },
        type,
        reason: 'Tested',
        message: 'for the test',
        source: { component: 'conformance' },
      });
      await api.post(path(events), event('first', 'one', 'Normal'));
      await api.post(path(events), event('second', 'two', 'Warning'));
      const names = async (fieldSelector: string) =>
        (await api.get(path(events), { query: { fieldSelector } })).list.items.map(({ metadata }) => metadata.name);
      expect(await names('involvedObject.name=one,involvedObject.kind=Pod,source=conformance')).toEqual(['first']);
      expect(await names('type=Warning,reason=Tested')).toEqual(['second']);
    },
    'fields: the names of all namespaces together': async ({ api, path, namespace }) => {
      await api.post(path(configMaps), configMap('somewhere'));
      const query = { fieldSelector: `metadata.namespace=${namespace},metadata.name=somewhere` };
      expect((await api.get('/api/v1/configmaps', { query })).list.items).toHaveLength(1);
    },
    'label and field selectors work together': async (world) => {
      await three(world);
      expect(await selected(world, { labelSelector: 'app=web', fieldSelector: 'metadata.name!=selected-a' })).toEqual([
        'selected-b',
      ]);
    },
  },
};
