import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { type KubeEvent, deployments, events, services } from '../../../src/k8s/resources.ts';
import type { KubeClient } from '../../../src/k8s/cluster.ts';
import { globalId } from '../../../src/schema/ids.ts';
import { namespaces } from '../../../src/k8s/resources.ts';
import { type RunsServer, errorsOf, rights, startRunsServer } from './surface.ts';

/** Stopped runs: nothing has to start, so everything stands still. */
async function seed(kube: KubeClient): Promise<void> {
  const places = [
    ['lab', 'alpha', 'a1', 'shop', 'predict'],
    ['lab', 'beta', 'b1', 'shop', 'explain'],
    ['lab', 'gamma', 'twin', 'bank', 'predict'],
    ['vault', 'delta', 'twin', 'bank', 'explain'],
  ] as const;
  for (const name of ['lab', 'vault']) {
    await kube.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  }
  for (const [namespace, name, runId, project, fn] of places) {
    const labels = {
      'app.kubernetes.io/managed-by': 'slipway',
      'slipway.dev/run': runId,
      'slipway.dev/project': project,
      'slipway.dev/function': fn,
    };
    const metadata = { name, namespace, labels };
    const env = [{ name: 'API_TOKEN', value: 'tell-nobody' }];
    await kube.create(deployments, {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata,
      spec: {
        replicas: 0,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [{ name: 'main', image: 'shop:1', env }] } },
      },
    });
    await kube.create(services, {
      apiVersion: 'v1',
      kind: 'Service',
      metadata,
      spec: { selector: labels, ports: [{ port: 80, targetPort: 8080 }] },
    });
  }
}

interface Runs {
  serviceRuns: {
    nodes: { id?: string; name: string }[];
    totalCount: number;
    pageInfo: { hasNextPage: boolean; hasPreviousPage: boolean; startCursor: string; endCursor: string };
  };
}
const names = (data: Runs) => data.serviceRuns.nodes.map(({ name }) => name);

let server: RunsServer;
beforeAll(async () => {
  server = await startRunsServer({ seed });
  for (const name of ['alpha', 'beta', 'gamma', 'delta']) {
    await server.until(name, (run) => run.status.service !== null && run.status.state === 'STOPPED');
  }
});
afterAll(() => server.stop());

describe('serviceRuns', () => {
  const list = `query ($filter: ServiceRunFilter, $orderBy: ServiceRunOrder, $first: Int, $after: String, $last: Int, $before: String) {
    serviceRuns(filter: $filter, orderBy: $orderBy, first: $first, after: $after, last: $last, before: $before) {
      nodes { name } totalCount revision freshness pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
  }`;
  const byName = { field: 'NAME', direction: 'ASC' };
  const page = (variables: object) => server.data<Runs>(list, { orderBy: byName, ...variables });

  test('pages forwards and backwards', async () => {
    const first = await page({ first: 3 });
    expect([names(first), first.serviceRuns.totalCount]).toEqual([['alpha', 'beta', 'delta'], 4]);
    expect(first.serviceRuns).toMatchObject({ freshness: 'FRESH', revision: expect.stringMatching(/^\d+$/) });
    const second = await page({ first: 3, after: first.serviceRuns.pageInfo.endCursor });
    expect([names(second), second.serviceRuns.pageInfo.hasNextPage]).toEqual([['gamma'], false]);
    const back = await page({ last: 2, before: second.serviceRuns.pageInfo.startCursor });
    expect([names(back), back.serviceRuns.pageInfo.hasPreviousPage]).toEqual([['beta', 'delta'], true]);
  });

  test.each([
    [{ field: 'NAME', direction: 'DESC' }, ['gamma', 'delta', 'beta', 'alpha']],
    [{ field: 'PROJECT', direction: 'ASC' }, ['delta', 'gamma', 'alpha', 'beta']],
    [{ field: 'HEALTH', direction: 'ASC' }, ['alpha', 'beta', 'delta', 'gamma']],
    [{ field: 'HEALTH', direction: 'DESC' }, ['gamma', 'delta', 'beta', 'alpha']],
  ])('sorts by %j', async (orderBy, expected) => {
    expect(names(await page({ orderBy }))).toEqual(expected);
  });

  test('filters, with counts of what matches', async () => {
    const data = await page({ filter: { project: ['shop'], search: 'BET' } });
    expect([names(data), data.serviceRuns.totalCount]).toEqual([['beta'], 1]);
    expect(names(await page({ filter: { state: [] } }))).toEqual([]);
  });

  test.each([
    [{ namespace: ['vault'] }, ['delta']],
    [{ namespace: ['nowhere'] }, []],
    [{ project: ['bank'], namespace: ['lab'] }, ['gamma']],
    [{ kind: ['container+serve'], source: ['slipway'] }, ['alpha', 'beta', 'delta', 'gamma']],
    [{ function: ['none'] }, []],
    [{ function: ['predict'] }, ['alpha', 'gamma']],
    [{ kind: ['mlflowserve'] }, []],
    [{ source: ['digitalhub'] }, []],
    [{ active: true, function: ['explain'], namespace: ['vault', 'lab'] }, ['beta', 'delta']],
    [{ search: 'BANK' }, ['delta', 'gamma']],
    [{ search: 'expla' }, ['beta', 'delta']],
    [{ search: 'expla bet' }, ['beta']],
    [{ state: ['STOPPED'], health: ['SUSPENDED'], active: true }, ['alpha', 'beta', 'delta', 'gamma']],
    [{ health: ['HEALTHY', 'DEGRADED'] }, []],
    [{ active: false }, []],
    [{ labelSelector: 'slipway.dev/run notin (twin),slipway.dev/project=shop' }, ['alpha', 'beta']],
    [{ search: 'b1' }, ['beta']],
    [{ search: 'Deployment gamma is stopped' }, ['gamma']],
    [{ search: globalId('ServiceRun', 'vault/twin') }, ['delta']],
  ])('%j finds %j, and counts no more', async (filter, expected) => {
    const data = await page({ filter });
    expect([names(data), data.serviceRuns.totalCount]).toEqual([expected, expected.length]);
  });

  test.each([
    [{ first: 0 }, 'INVALID first PAGE_SIZE'],
    [{ first: 201 }, 'INVALID first PAGE_SIZE'],
    [{ first: 1, last: 1 }, 'INVALID last PAGE_SIZE'],
    [{ last: 201 }, 'INVALID last PAGE_SIZE'],
    [{ after: 'nonsense' }, 'INVALID after BAD_CURSOR'],
    [{ before: 'nonsense', filter: { state: [] } }, 'INVALID before BAD_CURSOR'],
    [{ filter: { labelSelector: 'a in (' } }, 'INVALID filter.labelSelector'],
  ])('%j is %s', async (variables, error) => {
    expect(errorsOf(await server.query(list, variables))).toEqual([error]);
  });
});

describe('serviceRun', () => {
  const one = 'query ($by: ServiceRunBy!) { serviceRun(by: $by) { id name namespace } }';
  const id = globalId('ServiceRun', 'lab/a1');

  test.each([
    ['id', { id }],
    ['run id', { runId: 'a1' }],
    ['Service', { service: { namespace: 'lab', name: 'alpha' } }],
  ])('is found by %s', async (_, by) => {
    expect(await server.data(one, { by })).toEqual({ serviceRun: { id, name: 'alpha', namespace: 'lab' } });
  });

  test.each([[{ id: 'nonsense' }], [{ runId: 'none' }], [{ service: { namespace: 'lab', name: 'none' } }]])(
    '%j is nobody',
    async (by) => {
      expect(await server.data(one, { by })).toEqual({ serviceRun: null });
    },
  );

  test('a run id with two hits is CONFLICT', async () => {
    expect(errorsOf(await server.query(one, { by: { runId: 'twin' } }))).toEqual(['CONFLICT by.runId AMBIGUOUS']);
  });

  test('is a node', async () => {
    const data = await server.data('query ($id: ID!) { node(id: $id) { id ... on ServiceRun { name } } }', { id });
    expect(data).toEqual({ node: { id, name: 'alpha' } });
  });

  test('shows everything at once, and no secret', async () => {
    const query = `{ serviceRun(by: { runId: "a1" }) {
      runId project function kind source user labels { key value } createdAt
      spec { image command args replicas env { name value secret } }
      status { state health message reasons { code rawReason message hint count since object { kind name } } restarts since
        observedAt replicas { desired ready updated available }
        service { name type clusterIP ports { name port protocol targetPort nodePort } url urls { name url method port path } aliases }
        openInference { baseUrl } openAI { baseUrl } }
      pods { name } events { type reason message count object { kind name } lastAt } logs actions manifests
    } }`;
    const data = await server.data<{ serviceRun: Record<string, unknown> }>(query);
    expect(data.serviceRun).toMatchObject({
      runId: 'a1',
      project: 'shop',
      kind: 'container+serve',
      source: 'slipway',
      spec: { image: 'shop:1', replicas: 0, env: [{ name: 'API_TOKEN', value: null, secret: true }] },
      status: {
        state: 'STOPPED',
        health: 'SUSPENDED',
        reasons: [{ code: 'SCALED_TO_ZERO', object: { kind: 'Deployment', name: 'alpha' } }],
        service: { name: 'alpha', ports: [{ port: 80, targetPort: '8080' }], urls: [{ name: 'base', path: '/' }] },
        openAI: null,
      },
      pods: [],
      logs: '',
      actions: ['SCALE', 'RESUME', 'DELETE'],
    });
    expect(data.serviceRun['manifests']).toContain('kind: Deployment');
    expect(JSON.stringify(data)).not.toContain('tell-nobody');
  });
});

test('manifests are the same in YAML and JSON', async () => {
  const query = '{ serviceRun(by: { runId: "a1" }) { yaml: manifests json: manifests(format: JSON) } }';
  const { serviceRun } = await server.data<{ serviceRun: { yaml: string; json: string } }>(query);
  const { kind, items } = JSON.parse(serviceRun.json) as { kind: string; items: { kind: string }[] };
  expect(kind).toBe('List');
  expect(parseAllDocuments(serviceRun.yaml).map((document) => document.toJS())).toEqual(items);
  expect(items.map((item) => item.kind)).toEqual(['Deployment', 'Service']);
  expect(serviceRun.json).not.toContain('tell-nobody');
});

describe('events', () => {
  const query =
    'query ($first: Int) { serviceRun(by: { runId: "a1" }) { events(first: $first) { reason type count lastAt } } }';
  type Events = { serviceRun: { events: { reason: string; type: string; lastAt: string | null }[] | null } };

  test('of its objects, newest first, of whatever form', async () => {
    const { metadata } = await server.kube.get(deployments, 'alpha', 'lab');
    const about = { kind: 'Deployment', namespace: 'lab', name: 'alpha', uid: metadata.uid ?? '' };
    const put = (name: string, event: Partial<KubeEvent>) =>
      server.kube.create(events, {
        apiVersion: 'v1',
        kind: 'Event',
        metadata: { name, namespace: 'lab' },
        involvedObject: about,
        reason: name,
        ...event,
      });
    await put('second', { type: 'Warning', lastTimestamp: '2099-01-01T00:00:02Z' });
    await put('first', { type: 'Normal', lastTimestamp: '2099-01-01T00:00:01Z', count: 7 });
    await put('third', { type: 'Normal', eventTime: '2099-01-01T00:00:03.000000Z' });
    await put('fourth', { series: { count: 2, lastObservedTime: '2099-01-01T00:00:04.000000Z' }, lastTimestamp: null });
    await put('other', { lastTimestamp: '2099-01-01T00:00:05Z', involvedObject: { ...about, uid: 'somebody-else' } });
    const data = await server.data<Events>(query, { first: 4 });
    expect(data.serviceRun.events?.map(({ reason }) => reason)).toEqual(['fourth', 'third', 'second', 'first']);
    expect(data.serviceRun.events?.[0]).toMatchObject({ count: 2, type: 'Normal', lastAt: '2099-01-01T00:00:04.000Z' });
  });

  test.each([0, 201])('first: %i is INVALID, and blanks only the events', async (first) => {
    const answer = await server.query<Events>(query, { first });
    expect(errorsOf(answer)).toEqual(['INVALID first PAGE_SIZE']);
    expect(answer.data).toEqual({ serviceRun: { events: null } });
  });
});

describe('a caller sees only what they may', () => {
  let guest: RunsServer;
  beforeAll(async () => {
    guest = await startRunsServer({ seed, as: { access: rights({ see: ['lab'] }) } });
    await guest.until('delta', (run) => run.status.service !== null);
    await guest.until('alpha', (run) => run.status.service !== null);
  });
  afterAll(() => guest.stop());

  test('lists, counts and look-ups leave the rest out', async () => {
    const data = await guest.data<Runs>(
      '{ serviceRuns(orderBy: { field: NAME, direction: ASC }) { nodes { name } totalCount } }',
    );
    expect([names(data), data.serviceRuns.totalCount]).toEqual([['alpha', 'beta', 'gamma'], 3]);
    const hidden = globalId('ServiceRun', 'vault/twin');
    const looks = `query ($id: ID!) {
      byId: serviceRun(by: { id: $id }) { name }
      byRunId: serviceRun(by: { runId: "twin" }) { name }
      byService: serviceRun(by: { service: { namespace: "vault", name: "delta" } }) { name }
      node(id: $id) { id }
    }`;
    expect(await guest.data(looks, { id: hidden })).toEqual({
      byId: null,
      byRunId: { name: 'gamma' },
      byService: null,
      node: null,
    });
  });

  test('an id is written in one way only', async () => {
    const { serviceRuns } = await guest.data<Runs>('{ serviceRuns { nodes { id name } } }');
    const id = serviceRuns.nodes[0]?.id ?? '';
    const byId = async (written: string) =>
      (await guest.data('query ($id: ID!) { serviceRun(by: { id: $id }) { id } }', { id: written })).serviceRun;
    expect(await byId(id)).toEqual({ id });
    for (const other of [`${id}=`, ` ${id}`, `${id}.`, `${id}\n`]) expect(await byId(other)).toBeNull();
  });

  test('a filter by a namespace that is not visible looks like one by an empty one', async () => {
    const list = `query ($filter: ServiceRunFilter) { serviceRuns(filter: $filter) {
      totalCount freshness nodes { id } edges { cursor }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }`;
    const filtered = (filter: object) => guest.query(list, { filter });
    const empty = await filtered({ namespace: ['nowhere'] });
    expect(empty.data?.['serviceRuns']).toMatchObject({ totalCount: 0, nodes: [], edges: [] });
    for (const filter of [{ namespace: ['vault'] }, { search: 'delta' }, { namespace: ['vault'], project: ['bank'] }]) {
      expect(await filtered(filter)).toEqual(empty);
    }
  });

  const mutations: [string, object][] = [
    ['stopServiceRun', {}],
    ['resumeServiceRun', {}],
    ['restartServiceRun', {}],
    ['deleteServiceRun', {}],
    ['scaleServiceRun', { replicas: 1 }],
  ];
  test.each(mutations)(
    '%s: what is not visible is NOT_FOUND, what is but may not be changed FORBIDDEN',
    async (name, more) => {
      const type = name === 'scaleServiceRun' ? 'ScaleServiceRunInput' : 'ServiceRunActionInput';
      const document = `mutation ($input: ${type}!) { ${name}(input: $input) { manifests } }`;
      const call = (local: string) => guest.query(document, { input: { id: globalId('ServiceRun', local), ...more } });
      expect(errorsOf(await call('vault/twin'))).toEqual(['NOT_FOUND id']);
      expect(errorsOf(await call('lab/none'))).toEqual(['NOT_FOUND id']);
      expect(errorsOf(await call('lab/a1'))).toEqual(['FORBIDDEN id']);
    },
  );

  test('runService likewise, by namespace', async () => {
    const run = (namespace: string) =>
      guest.query('mutation ($input: RunServiceInput!) { runService(input: $input) { manifests } }', {
        input: { name: 'new', namespace, image: 'shop:1', ports: [{ port: 80 }] },
      });
    expect(errorsOf(await run('vault'))).toEqual(['NOT_FOUND namespace']);
    expect(errorsOf(await run('lab'))).toEqual(['FORBIDDEN namespace']);
  });

  test('logs need a right of their own, and one failure does not blank the run', async () => {
    const answer = await guest.query('{ serviceRun(by: { runId: "a1" }) { name logs actions } }');
    expect(answer.data).toEqual({ serviceRun: { name: 'alpha', logs: null, actions: [] } });
    expect(errorsOf(answer)).toEqual(['FORBIDDEN']);
    const stream = guest.subscribe('subscription { serviceRunLogs(by: { runId: "a1" }) { line } }');
    const first = await stream.next();
    expect(errorsOf(first.value)).toEqual(['FORBIDDEN']);
  });
});
