import type { GatewayListener } from '../../../k8s/resources.ts';
import type { Builder } from '../../../schema/builder.ts';
import { addConnection } from '../../../schema/connection.ts';
import { Freshness } from '../../../schema/enums.ts';
import { type Page, pageArgs, paginate, pageCost } from '../../../schema/paging.ts';
import { type BackendView, Exposable, type ParentView } from '../exposable.ts';
import { backendMatcher } from '../filter.ts';
import { GatewayAuthKind } from './enums.ts';
import { GatewayBackendFilter } from './inputs.ts';
import { visibleRun } from './visible.ts';

declare module '../../../schema/object-types.ts' {
  interface ObjectTypes {
    GatewayBackend: BackendView;
    GatewayBackendConnection: Page<BackendView>;
    GatewayParent: ParentView;
    GatewayListener: GatewayListener;
  }
}

/** What can be exposed, and on what. */
export function addTargetTypes(builder: Builder): void {
  addBackend(builder);
  addParent(builder);
  addConnection(builder, 'GatewayBackend', 'Services');
  builder.objectField('GatewayBackendConnection', 'freshness', (t) =>
    t.field({
      type: Freshness(builder),
      description: 'Whether the list is known to be current.',
      resolve: (_, __, { cluster }) => cluster.freshness.state,
    }),
  );
  addTargetQueries(builder);
}

function addBackend(builder: Builder): void {
  builder.objectType('GatewayBackend', {
    description: 'A Service that a gateway leads to, or could.',
    fields: (t) => ({
      namespace: t.exposeString('namespace', { description: 'Its namespace.' }),
      service: t.exposeString('service', { description: 'Its name.' }),
      project: t.exposeString('project', { nullable: true, description: 'The project of the run behind it.' }),
      labels: t.field({
        type: ['Label'],
        description: 'Its labels, sorted by key.',
        resolve: ({ labels }) =>
          Object.entries(labels)
            .map(([key, value]) => ({ key, value }))
            .toSorted((a, b) => (a.key < b.key ? -1 : 1)),
      }),
      port: t.exposeInt('port', {
        nullable: true,
        description: 'The port that is used; in a list its only one, null when it has several.',
      }),
      ports: t.field({
        type: ['ServicePort'],
        description: 'All its ports; none when it is gone.',
        resolve: ({ ports }) =>
          ports.map(({ name = null, port, protocol = 'TCP', targetPort = port, nodePort = null }) => ({
            ...{ name, port, protocol, nodePort },
            targetPort: String(targetPort),
          })),
      }),
      serviceRun: t.field({
        type: 'ServiceRun',
        nullable: true,
        description: 'The service run behind it.',
        resolve: ({ serviceRunId }, _, context) => visibleRun(serviceRunId, context),
      }),
      ready: t.boolean({
        description: 'Whether something behind it takes requests.',
        resolve: (backend, _, context) => context.use(Exposable).ready(backend),
      }),
    }),
  });
}

function addParent(builder: Builder): void {
  builder.objectType('GatewayListener', {
    description: 'A listener of a Gateway.',
    fields: (t) => ({
      name: t.exposeString('name', { description: 'Its name.' }),
      hostname: t.string({
        nullable: true,
        description: 'The hostnames it serves; null: all.',
        resolve: ({ hostname }) => hostname ?? null,
      }),
      port: t.exposeInt('port', { description: 'Its port.' }),
      protocol: t.exposeString('protocol', { description: 'HTTP, HTTPS or another.' }),
    }),
  });
  builder.objectType('GatewayParent', {
    description: "Gateway API's Gateway: what routes hang on.",
    fields: (t) => ({
      namespace: t.exposeString('namespace', { description: 'Its namespace.' }),
      name: t.exposeString('name', { description: 'Its name.' }),
      className: t.exposeString('className', { nullable: true, description: 'Its GatewayClass.' }),
      controller: t.exposeString('controller', { nullable: true, description: 'The controller of that class.' }),
      authKinds: t.expose('authKinds', {
        type: [GatewayAuthKind(builder)],
        description: 'The protection that Slipway can have it enforce.',
      }),
      listeners: t.field({
        type: ['GatewayListener'],
        description: 'Its listeners.',
        resolve: ({ listeners }) => [...listeners],
      }),
      ready: t.exposeBoolean('ready', { description: 'Whether it is in operation.' }),
      default: t.exposeBoolean('default', { description: 'Whether gateways without a parent get this one.' }),
    }),
  });
}

function addTargetQueries(builder: Builder): void {
  builder.queryField('gatewayBackends', (t) =>
    t.field({
      type: 'GatewayBackendConnection',
      nullable: true,
      description: 'The Services that the caller may see and that can be exposed, by namespace and name.',
      args: {
        filter: t.arg({ type: GatewayBackendFilter(builder), description: 'Only those that match.' }),
        ...pageArgs(t.arg),
      },
      complexity: pageCost,
      async resolve(_, { filter, ...page }, context) {
        const matches = backendMatcher(filter);
        const scope = await context.access.scope('see');
        const all = context.use(Exposable).backends();
        const visible = all.filter((backend) => scope.includes(backend) && matches(backend));
        return paginate(visible, page, ({ namespace, service }) => [namespace, service]);
      },
    }),
  );
  builder.queryField('gatewayParents', (t) =>
    t.field({
      type: ['GatewayParent'],
      nullable: true,
      authScopes: { signedIn: true },
      description: 'The Gateways of the cluster, by namespace and name.',
      resolve: (_, __, context) => context.use(Exposable).parents(),
    }),
  );
}
