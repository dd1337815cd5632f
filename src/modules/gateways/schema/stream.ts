import type { Builder } from '../../../schema/builder.ts';
import { openStream, type StreamEvent, streamEventTypes } from '../../../schema/stream.ts';
import { gatewayMatcher } from '../filter.ts';
import type { GatewayView } from '../service.ts';
import { GatewayFilter } from './inputs.ts';
import { readable } from './visible.ts';

declare module '../../../schema/object-types.ts' {
  interface ObjectTypes {
    GatewayEvent: StreamEvent<GatewayView>;
  }
}

export function addStream(builder: Builder): void {
  const eventType = builder.enumType('GatewayEventType', {
    description: 'What an event says. More may come: ignore those you do not know.',
    values: streamEventTypes,
  });
  builder.objectType('GatewayEvent', {
    description: 'One event of `gatewayChanged`.',
    fields: (t) => ({
      type: t.expose('type', { type: eventType, description: 'What it says.' }),
      cursor: t.exposeString('cursor', { description: 'Resume point: give it as `after` to miss nothing.' }),
      gateway: t.field({
        type: 'Gateway',
        nullable: true,
        description: 'The gateway as it is now; only for ADDED and CHANGED.',
        resolve: ({ item }) => item,
      }),
      id: t.exposeID('id', { nullable: true, description: "The gateway's id; for ADDED, CHANGED and REMOVED." }),
      coalesced: t.exposeInt('coalesced', { description: 'How many earlier changes this one stands for.' }),
      at: t.expose('at', { type: 'DateTime', description: 'When the server learned of it.' }),
    }),
  });
  builder.subscriptionField('gatewayChanged', (t) =>
    t.field({
      type: 'GatewayEvent',
      description:
        'One ADDED for each matching gateway, then SYNCED (then STALE if the cluster is stale), then every change. ' +
        'A RESET, at any time, means that all told before is void and the snapshot starts again.',
      args: {
        filter: t.arg({ type: GatewayFilter(builder), description: 'Only those that match; absent: all you may see.' }),
        after: t.arg.string({
          description:
            'The last `cursor` seen: only what changed since then is sent, then SYNCED. RESET and all of it when that is not possible.',
        }),
      },
      async subscribe(_, { filter, after }, context) {
        const { changes } = await readable(context);
        return openStream(changes, context, { filter, matches: gatewayMatcher(filter), after });
      },
      resolve: (event) => event,
    }),
  );
}
