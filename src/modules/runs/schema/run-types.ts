import { OperationTypeNode } from 'graphql';
import type { Builder } from '../../../schema/builder.ts';
import { Freshness } from '../../../schema/enums.ts';
import { addConnection } from '../../../schema/connection.ts';
import type { Page } from '../../../schema/paging.ts';
import { notKnown } from '../runs.ts';
import { type RunContainerView, type RunPodView, type RunView, Runs } from '../service.ts';
import { withStaleness } from '../staleness.ts';
import { runTypename } from '../view.ts';

declare module '../../../schema/object-types.ts' {
  interface ObjectTypes {
    ServiceRun: RunView;
    ServiceRunConnection: Page<RunView>;
    ServiceRunSpec: RunView['spec'];
    EnvVar: RunView['spec']['env'][number];
    RunPod: RunPodView;
    RunContainer: RunContainerView;
  }
}

export function addRunTypes(builder: Builder): void {
  addServiceRun(builder);
  addSpec(builder);
  addPods(builder);
  addConnection(builder, runTypename, 'service runs');
  builder.objectField('ServiceRunConnection', 'revision', (t) =>
    t.string({
      description: 'Rises with every change of any run on this server.',
      resolve: (_, __, context) => String(context.use(Runs).revision),
    }),
  );
  builder.objectField('ServiceRunConnection', 'freshness', (t) =>
    t.field({
      type: Freshness(builder),
      description: 'Whether the list is known to be current.',
      resolve: (_, __, context) => context.cluster.freshness.state,
    }),
  );
}

function addServiceRun(builder: Builder): void {
  builder.node(runTypename, {
    description: 'An HTTP service that runs on the cluster: a workload and its Service.',
    id: { resolve: (run) => run.key },
    isTypeOf: (value) => typeof value === 'object' && value !== null && 'runId' in value && 'key' in value,
    async loadOne(key, context) {
      const runs = context.use(Runs);
      if (!(await runs.whenKnown())) throw notKnown(context.cluster.freshness);
      const run = runs.get(key);
      return run && (await context.access.allows('see', run)) ? run : null;
    },
    fields: (t) => ({
      runId: t.exposeString('runId', { description: "The platform's id of the run." }),
      name: t.exposeString('name', { description: 'Its name.' }),
      namespace: t.exposeString('namespace', { description: 'Its namespace.' }),
      project: t.exposeString('project', { nullable: true, description: 'The project it belongs to.' }),
      function: t.exposeString('function', { nullable: true, description: 'The function it serves.' }),
      kind: t.exposeString('kind', {
        nullable: true,
        description: 'What runs, as the source says: `container+serve`, `mlflowserve`, …',
      }),
      source: t.exposeString('source', {
        description: 'Which source knows it: `slipway`, `digitalhub` or a configured one.',
      }),
      user: t.exposeString('user', { nullable: true, description: 'Who started it, as the source says.' }),
      labels: t.field({
        type: ['Label'],
        description: 'The labels of its workload, sorted by key.',
        resolve: (run) =>
          Object.entries(run.labels)
            .map(([key, value]) => ({ key, value }))
            .sort((a, b) => (a.key < b.key ? -1 : 1)),
      }),
      createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was created.' }),
      spec: t.expose('spec', { type: 'ServiceRunSpec', description: 'What it is to be.' }),
      status: t.field({
        type: 'ServiceRunStatus',
        description: 'What it is doing and how well it is.',
        // Who is told changes is told STALE and FRESH as such: what an event says must still be true after FRESH.
        resolve: (run, _, { cluster }, { operation }) =>
          operation.operation === OperationTypeNode.SUBSCRIPTION ? run : withStaleness(run, cluster.freshness),
      }),
      pods: t.expose('pods', { type: ['RunPod'], description: 'Its Pods, the oldest first.' }),
    }),
  });
}

function addSpec(builder: Builder): void {
  builder.objectType('EnvVar', {
    description: 'An environment variable of a run.',
    fields: (t) => ({
      name: t.exposeString('name', { description: 'Its name.' }),
      value: t.exposeString('value', {
        nullable: true,
        description: 'Its value; null when it comes from elsewhere or its name looks like a secret.',
      }),
      secret: t.exposeBoolean('secret', { description: 'Whether it is a secret, or looks like one.' }),
    }),
  });
  builder.objectType('ServiceRunSpec', {
    description: 'What a run is to be: its first container.',
    fields: (t) => ({
      image: t.exposeString('image', {
        nullable: true,
        description: 'The container image; `slipway.dev/process` for a local program.',
      }),
      command: t.exposeStringList('command', { description: 'Its command.' }),
      args: t.exposeStringList('args', { description: 'Its arguments.' }),
      replicas: t.exposeInt('replicas', { description: 'How many replicas there are to be.' }),
      env: t.expose('env', { type: ['EnvVar'], description: 'Its environment variables.' }),
    }),
  });
}

function addPods(builder: Builder): void {
  builder.objectType('RunContainer', {
    description: 'A container of a Pod.',
    fields: (t) => ({
      name: t.exposeString('name', { description: 'Its name.' }),
      image: t.exposeString('image', { description: 'Its image.' }),
      ready: t.exposeBoolean('ready', { description: 'Whether it is ready.' }),
      restartCount: t.exposeInt('restartCount', { description: 'How often it was restarted in the life of its Pod.' }),
      state: t.string({
        description: 'waiting, running, terminated, or unknown.',
        resolve: (container) => container.state ?? 'unknown',
      }),
      reason: t.exposeString('reason', { nullable: true, description: 'Why it waits or has ended.' }),
      message: t.exposeString('message', { nullable: true, description: 'More on that.' }),
      lastExitCode: t.exposeInt('lastExitCode', { nullable: true, description: 'The exit code of its last end.' }),
      init: t.exposeBoolean('init', { description: 'Whether it is an init container: it runs before the others.' }),
    }),
  });
  builder.objectType('RunPod', {
    description: 'A Pod of a run.',
    fields: (t) => ({
      name: t.exposeString('name', { description: 'Its name.' }),
      phase: t.exposeString('phase', {
        description: 'Pending, Running, Succeeded, Failed or Unknown; Terminating when it is on its way out.',
      }),
      ready: t.exposeBoolean('ready', { description: 'Whether it is ready.' }),
      ip: t.exposeString('ip', { nullable: true, description: 'Its address.' }),
      node: t.exposeString('node', { nullable: true, description: 'The node it is on.' }),
      startedAt: t.expose('startedAt', { type: 'DateTime', nullable: true, description: 'When it was started.' }),
      containers: t.expose('containers', {
        type: ['RunContainer'],
        description: 'Its containers, init containers first.',
      }),
    }),
  });
}
