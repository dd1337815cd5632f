import type { Context } from '../../../module.ts';
import type { Builder } from '../../../schema/builder.ts';
import { parseGlobalId } from '../../../schema/ids.ts';
import { pageArgs, paginate, pageCost } from '../../../schema/paging.ts';
import { gatewayMatcher } from '../filter.ts';
import type { GatewayView } from '../service.ts';
import { GatewayBy, GatewayFilter } from './inputs.ts';
import { readable } from './visible.ts';

type By = ReturnType<typeof GatewayBy>['$inferInput'];

const byName = (a: GatewayView, b: GatewayView): number =>
  a.name === b.name ? (a.namespace < b.namespace ? -1 : 1) : a.name < b.name ? -1 : 1;

export function addQueries(builder: Builder): void {
  builder.queryField('gateways', (t) =>
    t.field({
      type: 'GatewayConnection',
      nullable: true,
      description: 'The gateways the caller may see, by name; counts include no others.',
      args: {
        filter: t.arg({ type: GatewayFilter(builder), description: 'Only those that match.' }),
        ...pageArgs(t.arg),
      },
      complexity: pageCost,
      async resolve(_, { filter, ...page }, context) {
        const matches = gatewayMatcher(filter);
        const scope = await context.access.scope('see');
        const all = [...(await readable(context)).all()];
        const visible = all.filter((gateway) => scope.includes(gateway) && matches(gateway));
        return paginate(visible, page, ({ name, namespace, key }) => [name, namespace, key]);
      },
    }),
  );
  builder.queryField('gateway', (t) =>
    t.field({
      type: 'Gateway',
      nullable: true,
      description: 'One gateway; null when it is absent or not visible.',
      args: { by: t.arg({ type: GatewayBy(builder), required: true, description: 'Which one.' }) },
      resolve: (_, { by }, context) => findGateway(by, context),
    }),
  );
  builder.objectField('ServiceRun', 'gateways', (t) =>
    t.field({
      type: ['Gateway'],
      nullable: true,
      description: 'The gateways that lead to it, by name.',
      async resolve({ objects, namespace }, _, context) {
        const gateways = await readable(context);
        const scope = await context.access.scope('see');
        const services = [objects.service, ...objects.aliases].filter((service) => service !== null);
        const leading = services.flatMap(({ metadata }) => gateways.byService(namespace, metadata.name));
        return [...new Set(leading)].filter((gateway) => scope.includes(gateway)).toSorted(byName);
      },
    }),
  );
}

async function findGateway(by: By, context: Context): Promise<GatewayView | null> {
  const parsed = parseGlobalId(by.id ?? '');
  const key = by.name ? `${by.name.namespace}/${by.name.name}` : parsed?.typename === 'Gateway' ? parsed.local : '';
  const gateway = (await readable(context)).get(key);
  return gateway && (await context.access.scope('see')).includes(gateway) ? gateway : null;
}
