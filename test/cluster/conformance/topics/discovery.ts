import { expect } from 'vitest';
import type { Topic } from '../suite.ts';

interface Resources {
  kind: string;
  groupVersion: string;
  resources: { name: string; verbs: string[]; [field: string]: unknown }[];
}

const everything = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];
const aggregated = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json';

interface Discovered {
  kind: string;
  items: { metadata: { name: string }; versions: { version: string; resources: { resource: string }[] }[] }[];
}

interface OpenApiDocument {
  paths: Record<string, unknown>;
  components: { schemas: Record<string, { [key: string]: unknown; properties: Record<string, unknown> }> };
}

export const discovery: Topic = {
  name: 'discovery',
  cases: {
    'the version is a Kubernetes 1.x': async ({ api }) => {
      expect((await api.get('/version')).json).toMatchObject({
        major: '1',
        gitVersion: expect.stringMatching(/^v1\.\d+/) as string,
      });
    },
    'the health endpoints say ok': async ({ api }) => {
      for (const path of ['/livez', '/readyz', '/healthz'])
        expect(await api.get(path)).toMatchObject({ code: 200, text: 'ok' });
    },
    'the core group has version v1': async ({ api }) => {
      expect((await api.get('/api')).json).toMatchObject({ kind: 'APIVersions', versions: ['v1'] });
    },
    'the core group lists its resources with names, verbs and scope': async ({ api }) => {
      const { resources, ...list } = (await api.get('/api/v1')).json as Resources;
      expect(list).toEqual({ kind: 'APIResourceList', groupVersion: 'v1' });
      const found = (name: string) => resources.find((each) => each.name === name);
      expect(found('pods')).toMatchObject({
        singularName: 'pod',
        namespaced: true,
        kind: 'Pod',
        verbs: everything,
        shortNames: ['po'],
        categories: ['all'],
      });
      expect(found('services')).toMatchObject({ shortNames: ['svc'], categories: ['all'] });
      expect(found('configmaps')).toMatchObject({ shortNames: ['cm'] });
      expect(found('events')).toMatchObject({ shortNames: ['ev'] });
      expect(found('nodes')).toMatchObject({ shortNames: ['no'], namespaced: false });
      expect(found('pods/log')).toEqual({
        name: 'pods/log',
        singularName: '',
        namespaced: true,
        kind: 'Pod',
        verbs: ['get'],
      });
    },
    'namespaces can not be deleted as a collection': async ({ api }) => {
      const { resources } = (await api.get('/api/v1')).json as Resources;
      expect(resources.find((each) => each.name === 'namespaces')).toMatchObject({
        namespaced: false,
        verbs: everything.filter((verb) => verb !== 'deletecollection'),
      });
    },
    'the named groups have preferred versions': async ({ api }) => {
      const list = (await api.get('/apis')).json as { kind: string; groups: { name: string }[] };
      expect(list).toMatchObject({ kind: 'APIGroupList', apiVersion: 'v1' });
      for (const [name, version] of [
        ['apps', 'v1'],
        ['authorization.k8s.io', 'v1'],
        ['discovery.k8s.io', 'v1'],
        ['gateway.networking.k8s.io', 'v1'],
        ['gateway.envoyproxy.io', 'v1alpha1'],
      ]) {
        expect(list.groups.find((group) => group.name === name)).toMatchObject({
          preferredVersion: { groupVersion: `${name}/${version}`, version },
        });
      }
    },
    'a group says which versions it has': async ({ api }) => {
      expect((await api.get('/apis/apps')).json).toEqual({
        kind: 'APIGroup',
        apiVersion: 'v1',
        name: 'apps',
        versions: [{ groupVersion: 'apps/v1', version: 'v1' }],
        preferredVersion: { groupVersion: 'apps/v1', version: 'v1' },
      });
    },
    'workloads have status and scale below them': async ({ api }) => {
      const { resources, ...list } = (await api.get('/apis/apps/v1')).json as Resources;
      expect(list).toEqual({ kind: 'APIResourceList', apiVersion: 'v1', groupVersion: 'apps/v1' });
      expect(resources.find((each) => each.name === 'deployments')).toMatchObject({
        kind: 'Deployment',
        verbs: everything,
        shortNames: ['deploy'],
        categories: ['all'],
      });
      expect(resources.find((each) => each.name === 'deployments/scale')).toEqual({
        name: 'deployments/scale',
        singularName: '',
        namespaced: true,
        group: 'autoscaling',
        version: 'v1',
        kind: 'Scale',
        verbs: ['get', 'patch', 'update'],
      });
      expect(resources.find((each) => each.name === 'deployments/status')).toEqual({
        name: 'deployments/status',
        singularName: '',
        namespaced: true,
        kind: 'Deployment',
        verbs: ['get', 'patch', 'update'],
      });
    },
    'custom resources are listed as the built-in ones are': async ({ api }) => {
      const routes = (await api.get('/apis/gateway.networking.k8s.io/v1')).json as Resources;
      expect(routes.resources.find((each) => each.name === 'httproutes')).toMatchObject({
        singularName: 'httproute',
        namespaced: true,
        kind: 'HTTPRoute',
        categories: ['gateway-api'],
      });
      expect(routes.resources.find((each) => each.name === 'httproutes/status')).toMatchObject({
        kind: 'HTTPRoute',
        verbs: ['get', 'patch', 'update'],
      });
      expect(routes.resources.find((each) => each.name === 'gateways')).toMatchObject({ shortNames: ['gtw'] });
      const policies = (await api.get('/apis/gateway.envoyproxy.io/v1alpha1')).json as Resources;
      const policy = policies.resources.find((each) => each.name === 'securitypolicies');
      expect(policy).toMatchObject({ kind: 'SecurityPolicy', shortNames: ['sp'], categories: ['envoy-gateway'] });
      expect(policy?.verbs.toSorted()).toEqual(everything);
    },
    'aggregated discovery gives all of a group in one answer': async ({ api }) => {
      const answer = await api.get('/apis', { accept: aggregated });
      expect(answer.headers['content-type']).toContain('as=APIGroupDiscoveryList');
      const { kind, items } = answer.json as Discovered;
      expect(kind).toBe('APIGroupDiscoveryList');
      const apps = items.find(({ metadata }) => metadata.name === 'apps')?.versions[0];
      expect(apps).toMatchObject({ version: 'v1', freshness: 'Current' });
      const scale = { group: 'autoscaling', version: 'v1', kind: 'Scale' };
      expect(apps?.resources.find(({ resource }) => resource === 'deployments')).toMatchObject({
        responseKind: { kind: 'Deployment' },
        scope: 'Namespaced',
        singularResource: 'deployment',
        subresources: [
          { subresource: 'scale', responseKind: scale, verbs: ['get', 'patch', 'update'] },
          { subresource: 'status', verbs: ['get', 'patch', 'update'] },
        ],
      });
    },
    'aggregated discovery gives the core group under an empty name': async ({ api }) => {
      const { items } = (await api.get('/api', { accept: aggregated })).json as Discovered;
      expect(items.map(({ metadata }) => metadata?.name ?? '')).toEqual(['']);
      const pods = items[0]?.versions[0]?.resources.find(({ resource }) => resource === 'pods');
      expect(pods).toMatchObject({ scope: 'Namespaced', shortNames: ['po'], verbs: everything });
    },
    'what is not served is not found': async ({ api }) => {
      const paths = ['/apis/nothing.example', '/apis/apps/v9', '/api/v1/widgets', '/nothing'];
      const codes = await Promise.all(paths.map(async (path) => (await api.get(path)).code));
      expect(codes).toEqual([404, 404, 404, 404]);
    },
    'OpenAPI v3 has a document for each group and version': async ({ api }) => {
      const { paths } = (await api.get('/openapi/v3')).json as { paths: Record<string, unknown> };
      for (const path of ['api/v1', 'apis/apps/v1', 'apis/gateway.networking.k8s.io/v1'])
        expect(paths[path]).toEqual({
          serverRelativeURL: expect.stringMatching(new RegExp(`^/openapi/v3/${path}\\?hash=[0-9A-F]+$`)) as string,
        });
    },
    'OpenAPI names kinds, required fields and merge keys': async ({ api }) => {
      const { components, paths } = (await api.get('/openapi/v3/apis/apps/v1')).json as OpenApiDocument;
      const { schemas } = components;
      expect(schemas['io.k8s.api.apps.v1.Deployment']?.['x-kubernetes-group-version-kind']).toEqual([
        { group: 'apps', version: 'v1', kind: 'Deployment' },
      ]);
      expect(schemas['io.k8s.api.apps.v1.DeploymentSpec']).toMatchObject({ required: ['selector', 'template'] });
      expect(schemas['io.k8s.api.core.v1.PodSpec']?.properties.containers).toMatchObject({
        type: 'array',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['name'],
        'x-kubernetes-patch-merge-key': 'name',
        'x-kubernetes-patch-strategy': 'merge',
      });
      expect(Object.keys(paths)).toEqual(
        expect.arrayContaining(['/apis/apps/v1/namespaces/{namespace}/deployments/{name}']),
      );
    },
  },
};
