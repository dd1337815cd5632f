import { invalid } from '../../../errors.ts';
import { toSlipwayError } from '../../../k8s/api-error.ts';
import { renderManifests } from '../../../k8s/manifests.ts';
import type { KubeEvent } from '../../../k8s/resources.ts';
import type { Builder } from '../../../schema/builder.ts';
import { ManifestFormat } from '../../../schema/enums.ts';
import { listCost } from '../../../schema/paging.ts';
import { actionsFor } from '../actions.ts';
import { eventsOf, firstSeen, lastSeen } from '../events.ts';
import { readLogs } from '../logs/read.ts';
import { ServiceRunAction } from './enums.ts';

declare module '../../../schema/object-types.ts' {
  interface ObjectTypes {
    ClusterEvent: KubeEvent;
  }
}

const mostEvents = 200;

/** What a run shows beyond its view: events, logs, actions, manifests. */
export function addDetails(builder: Builder): void {
  addEvents(builder);
  addLogs(builder);
  builder.objectField('ServiceRun', 'actions', (t) =>
    t.field({
      type: [ServiceRunAction(builder)],
      description: 'What this caller may do to it now.',
      resolve: (run, _, context) => actionsFor(run, context),
    }),
  );
  builder.objectField('ServiceRun', 'manifests', (t) =>
    t.string({
      nullable: true,
      description: 'Its objects as somebody would write them, without secrets and secret-looking values.',
      args: {
        format: t.arg({ type: ManifestFormat(builder), defaultValue: 'YAML', description: 'The text format.' }),
      },
      resolve: ({ objects }, { format }) => {
        const all = [objects.workload, objects.service, ...objects.aliases].filter((object) => object !== null);
        return renderManifests(all, format ?? 'YAML');
      },
    }),
  );
}

function addEvents(builder: Builder): void {
  builder.objectType('ClusterEvent', {
    description: 'A Kubernetes event about an object of a run.',
    fields: (t) => ({
      type: t.string({ description: 'Normal or Warning.', resolve: (event) => event.type ?? 'Normal' }),
      reason: t.string({ description: "Kubernetes' word for what happened.", resolve: (event) => event.reason ?? '' }),
      message: t.string({ description: 'What happened.', resolve: (event) => event.message ?? '' }),
      count: t.int({
        description: 'How often it happened.',
        resolve: (event) => event.series?.count ?? event.count ?? 1,
      }),
      object: t.field({
        type: 'ObjectReference',
        description: 'What it happened to.',
        resolve: ({ involvedObject, metadata }) => ({
          apiVersion: involvedObject.apiVersion ?? null,
          kind: involvedObject.kind ?? '',
          namespace: involvedObject.namespace ?? metadata.namespace ?? null,
          name: involvedObject.name ?? '',
        }),
      }),
      firstAt: t.field({
        type: 'DateTime',
        nullable: true,
        description: 'When it first happened.',
        resolve: firstSeen,
      }),
      lastAt: t.field({ type: 'DateTime', nullable: true, description: 'When it last happened.', resolve: lastSeen }),
    }),
  });
  builder.objectField('ServiceRun', 'events', (t) =>
    t.field({
      type: ['ClusterEvent'],
      nullable: true,
      description: 'What the cluster reported about its objects, newest first. Read as the caller.',
      args: { first: t.arg.int({ defaultValue: 50, description: `How many, 1 to ${mostEvents}.` }) },
      complexity: ({ first }) => listCost(first ?? 50),
      resolve: async (run, { first }, context) => {
        const count = first ?? 50;
        if (count < 1 || count > mostEvents) {
          throw invalid('first', `"first" must be from 1 to ${mostEvents}, not ${count}.`, 'PAGE_SIZE');
        }
        try {
          return (await eventsOf(run, context.kube, context.signal)).slice(0, count);
        } catch (error) {
          throw toSlipwayError(error, { name: `events of run ${run.name}` });
        }
      },
    }),
  );
}

function addLogs(builder: Builder): void {
  builder.objectField('ServiceRun', 'logs', (t) =>
    t.string({
      nullable: true,
      description:
        'The last lines of its logs, by time. Lines of several containers begin with `pod/container: `. Needs the right to read logs.',
      args: {
        pod: t.arg.string({ description: 'Only of this Pod.' }),
        container: t.arg.string({ description: 'Only of containers with this name.' }),
        tailLines: t.arg.int({ defaultValue: 200, description: 'How many lines of each container, 1 to 5000.' }),
        previous: t.arg.boolean({ defaultValue: false, description: 'Of the run before the last restart.' }),
        since: t.arg({ type: 'DateTime', description: 'Only lines of this time or later.' }),
      },
      resolve: (run, args, context) => readLogs(run, args, context),
    }),
  );
}
