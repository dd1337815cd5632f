import { invalid } from '../../errors.ts';
import type { Builder } from '../../schema/builder.ts';
import { listCost } from '../../schema/paging.ts';
import { type StreamEvent, openStream, streamEventTypes } from '../../schema/stream.ts';
import { HealthStatus, type RunView, Runs, ServiceRunFilter } from '../runs/service.ts';
import { Health, type HealthTransition } from './service.ts';

declare module '../../schema/object-types.ts' {
  interface ObjectTypes {
    ServiceHealthEvent: StreamEvent<RunView>;
    HealthTransition: HealthTransition;
  }
}

const mostTransitions = 200;

/** The subscription, its events, and the transitions of a run. */
export function addHealth(builder: Builder): void {
  addEvent(builder);
  addSubscription(builder);
  addTransitions(builder);
}

function addEvent(builder: Builder): void {
  const eventType = builder.enumType('ServiceHealthEventType', {
    description: 'What an event says. More may come: ignore those you do not know.',
    values: streamEventTypes,
  });
  builder.objectType('ServiceHealthEvent', {
    description: 'One event of `serviceHealthChanged`.',
    fields: (t) => ({
      type: t.expose('type', { type: eventType, description: 'What it says.' }),
      cursor: t.exposeString('cursor', { description: 'Resume point: give it as `after` to miss nothing.' }),
      serviceRun: t.field({
        type: 'ServiceRun',
        nullable: true,
        description: 'The run as it is now; only for ADDED and CHANGED.',
        resolve: ({ item }) => item,
      }),
      id: t.exposeID('id', { nullable: true, description: "The run's id; for ADDED, CHANGED and REMOVED." }),
      previous: t.field({
        type: HealthStatus(builder),
        nullable: true,
        description: 'The health told before; for CHANGED.',
        resolve: ({ previous }) => previous?.status.health ?? null,
      }),
      coalesced: t.exposeInt('coalesced', { description: 'How many earlier changes this one stands for.' }),
      at: t.expose('at', { type: 'DateTime', description: 'When the server learned of it.' }),
    }),
  });
}

function addSubscription(builder: Builder): void {
  builder.subscriptionField('serviceHealthChanged', (t) =>
    t.field({
      type: 'ServiceHealthEvent',
      description:
        'One ADDED for each matching run, then SYNCED (then STALE if the cluster is stale), then every change of `status`. ' +
        'A RESET, at any time, means that all told before is void and the snapshot starts again.',
      args: {
        filter: t.arg({
          type: ServiceRunFilter(builder),
          description: 'Only runs that match; absent: all you may see.',
        }),
        after: t.arg.string({
          description:
            'The last `cursor` seen: only what changed since then is sent, then SYNCED. RESET and all of it when that is not possible.',
        }),
      },
      subscribe: (_, { filter, after }, context) => {
        const matches = context.use(Runs).matcher(filter, 'filter');
        return openStream(context.use(Health).changes, context, { filter, matches, after });
      },
      resolve: (event) => event,
    }),
  );
}

function addTransitions(builder: Builder): void {
  builder.objectType('HealthTransition', {
    description: 'A past change of health.',
    fields: (t) => ({
      at: t.expose('at', { type: 'DateTime', description: 'When the new health began.' }),
      from: t.expose('from', {
        type: HealthStatus(builder),
        nullable: true,
        description: 'The health before; null for the first known.',
      }),
      to: t.expose('to', { type: HealthStatus(builder), description: 'The health from then on.' }),
      message: t.exposeString('message', { nullable: true, description: 'The sentence that went with it.' }),
    }),
  });
  builder.objectField('ServiceRunStatus', 'transitions', (t) =>
    t.field({
      type: ['HealthTransition'],
      nullable: true,
      description: 'The past changes of health, newest last; null when no history is kept.',
      args: {
        last: t.arg.int({ defaultValue: 20, description: `How many of the newest, 1 to ${mostTransitions}.` }),
      },
      complexity: ({ last }) => listCost(last ?? 20),
      resolve: (run, { last }, context) => {
        const count = last ?? 20;
        if (count < 1 || count > mostTransitions) {
          throw invalid('last', `"last" must be from 1 to ${mostTransitions}, not ${count}.`, 'PAGE_SIZE');
        }
        return context.use(Health).transitions(run.key, count);
      },
    }),
  );
}
