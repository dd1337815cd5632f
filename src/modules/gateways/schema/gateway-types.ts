import type { Context } from '../../../module.ts';
import type { Builder } from '../../../schema/builder.ts';
import { addConnection } from '../../../schema/connection.ts';
import { Freshness, ManifestFormat } from '../../../schema/enums.ts';
import type { Page } from '../../../schema/paging.ts';
import { manifestsOf } from '../manifests.ts';
import { Exposable } from '../exposable.ts';
import {
  type GatewayAuthView,
  type GatewayConditionView,
  type GatewayStatusView,
  type GatewayView,
  type ParentName,
} from '../service.ts';
import { authView } from '../view.ts';
import { GatewayAuthKind, GatewayPhase } from './enums.ts';
import { readable, visibleRun } from './visible.ts';

declare module '../../../schema/object-types.ts' {
  interface ObjectTypes {
    Gateway: GatewayView;
    GatewayConnection: Page<GatewayView>;
    GatewayParentRef: ParentName;
    GatewayAuth: GatewayAuthView;
    ClaimToHeader: { claim: string; header: string };
    GatewayStatus: GatewayStatusView;
    GatewayCondition: GatewayConditionView;
  }
}

export function addGatewayTypes(builder: Builder): void {
  addGateway(builder);
  addTargets(builder);
  addAuth(builder);
  addStatus(builder);
  addConnection(builder, 'Gateway', 'gateways');
  builder.objectField('GatewayConnection', 'freshness', (t) =>
    t.field({
      type: Freshness(builder),
      description: 'Whether the list is known to be current.',
      resolve: (_, __, { cluster }) => cluster.freshness.state,
    }),
  );
}

function addGateway(builder: Builder): void {
  builder.node('Gateway', {
    description: "An HTTPRoute with its auth policy. Gateway API's own Gateway is GatewayParent.",
    id: { resolve: (gateway) => gateway.key },
    isTypeOf: (value) => typeof value === 'object' && value !== null && 'hostnames' in value && 'parents' in value,
    async loadOne(key, context) {
      const gateway = (await readable(context)).get(key);
      return gateway && (await context.access.allows('see', gateway)) ? gateway : null;
    },
    fields: (t) => ({
      name: t.exposeString('name', { description: 'Its name.' }),
      namespace: t.exposeString('namespace', { description: 'Its namespace.' }),
      project: t.exposeString('project', { nullable: true, description: 'The project of the service behind it.' }),
      resourceVersion: t.exposeString('resourceVersion', {
        nullable: true,
        description: 'Opaque: the desired state of route and policy together; status writes do not move it.',
      }),
      createdAt: t.expose('createdAt', { type: 'DateTime', nullable: true, description: 'When it was created.' }),
      hostname: t.string({
        nullable: true,
        description: 'Its first hostname; null: whatever the listeners serve.',
        resolve: ({ hostnames }) => hostnames[0] ?? null,
      }),
      hostnames: t.exposeStringList('hostnames', { description: 'All its hostnames.' }),
      pathPrefix: t.exposeString('pathPrefix', {
        nullable: true,
        description: 'Only requests under this path; null when the route is more than one path prefix.',
      }),
      ruleCount: t.exposeInt('ruleCount', { description: 'How many rules the route has.' }),
      rewritePathPrefix: t.exposeString('rewritePathPrefix', {
        nullable: true,
        description: 'What the service gets in place of the prefix; null: the path unchanged.',
      }),
      url: t.exposeString('url', {
        nullable: true,
        description: 'Where a client reaches it: scheme, host, port and prefix.',
      }),
      managed: t.exposeBoolean('managed', {
        description: "Made by Slipway or the platform's own manager, and simple enough: may be edited here.",
      }),
      manifests: t.string({
        nullable: true,
        description: 'Its route and policies as somebody would write them.',
        args: {
          format: t.arg({ type: ManifestFormat(builder), defaultValue: 'YAML', description: 'The text format.' }),
        },
        resolve: ({ objects }, { format }) => manifestsOf([...objects.policies, objects.route], format ?? 'YAML'),
      }),
      status: t.expose('status', { type: 'GatewayStatus', description: 'Whether it works.' }),
      auth: t.field({
        type: 'GatewayAuth',
        description: 'How callers show who they are.',
        resolve: ({ auth }, _, context) => visibleAuth(auth, context),
      }),
    }),
  });
}

/** A policy of the Gateway lies in its operator's namespace: who does not see that learns only that there is one. */
async function visibleAuth(auth: GatewayAuthView, { access }: Context): Promise<GatewayAuthView> {
  const namespace = auth.policy?.namespace ?? null;
  if (!auth.inherited || namespace === null || (await access.allows('see', { namespace }))) return auth;
  return authView({ kind: 'UNKNOWN' }, null, true);
}

function addTargets(builder: Builder): void {
  builder.objectType('GatewayParentRef', {
    description: 'A Gateway that a route names.',
    fields: (t) => ({
      namespace: t.exposeString('namespace', { description: 'Its namespace.' }),
      name: t.exposeString('name', { description: 'Its name.' }),
      sectionName: t.exposeString('sectionName', { nullable: true, description: 'One listener of it; null: all.' }),
      gateway: t.field({
        type: 'GatewayParent',
        nullable: true,
        description: 'The Gateway itself; null when it is not there.',
        resolve: (ref, _, context) => context.use(Exposable).parent(ref),
      }),
    }),
  });
  builder.objectFields('Gateway', (t) => ({
    backend: t.field({
      type: 'GatewayBackend',
      nullable: true,
      description: 'The Service it leads to; null when it leads to none, or you may not see it.',
      async resolve({ backend }, _, context) {
        const view = backend && context.use(Exposable).backend(backend);
        return view && (await context.access.allows('see', view)) ? view : null;
      },
    }),
    serviceRun: t.field({
      type: 'ServiceRun',
      nullable: true,
      description: 'The service run it leads to.',
      resolve: ({ serviceRunId }, _, context) => visibleRun(serviceRunId, context),
    }),
    parent: t.field({
      type: 'GatewayParent',
      nullable: true,
      description: 'The first of its parents that is there.',
      resolve({ parents }, _, context) {
        const exposable = context.use(Exposable);
        return parents.map((ref) => exposable.parent(ref)).find((parent) => parent !== null) ?? null;
      },
    }),
    parents: t.expose('parents', { type: ['GatewayParentRef'], description: 'The Gateways its route names.' }),
  }));
}

function addAuth(builder: Builder): void {
  builder.objectType('ClaimToHeader', {
    description: 'A claim that the service gets as a header.',
    fields: (t) => ({
      claim: t.exposeString('claim', { description: 'The name of the claim.' }),
      header: t.exposeString('header', { description: 'The header.' }),
    }),
  });
  builder.objectType('GatewayAuth', {
    description: 'How callers of a gateway show who they are, as the cluster has it.',
    fields: (t) => ({
      kind: t.expose('kind', { type: GatewayAuthKind(builder), description: 'In which way.' }),
      policy: t.expose('policy', { type: 'ObjectReference', nullable: true, description: 'The policy that says so.' }),
      inherited: t.exposeBoolean('inherited', {
        description: 'Whether the policy is attached to the parent Gateway, not to this route.',
      }),
      secretName: t.exposeString('secretName', { nullable: true, description: 'The Secret of BASIC and API_KEY.' }),
      headerName: t.exposeString('headerName', { nullable: true, description: 'The header of API_KEY.' }),
      jwksUri: t.exposeString('jwksUri', { nullable: true, description: 'Where the keys of JWT are.' }),
      issuer: t.exposeString('issuer', { nullable: true, description: 'The issuer of JWT.' }),
      audiences: t.exposeStringList('audiences', { description: 'The audiences of JWT; none: any token passes.' }),
      claimToHeaders: t.expose('claimToHeaders', {
        type: ['ClaimToHeader'],
        description: 'The claims of JWT that the service gets as headers.',
      }),
    }),
  });
}

function addStatus(builder: Builder): void {
  builder.objectType('GatewayStatus', {
    description: 'Whether a gateway works, and what is in the way.',
    fields: (t) => ({
      phase: t.expose('phase', { type: GatewayPhase(builder), description: 'In one word.' }),
      message: t.exposeString('message', {
        nullable: true,
        description: 'In one sentence, with what to do; null only when READY.',
      }),
      conditions: t.expose('conditions', {
        type: ['GatewayCondition'],
        description: 'All that the cluster says of route, policies and parents, as it says it.',
      }),
    }),
  });
  builder.objectType('GatewayCondition', {
    description: 'A condition that a controller wrote.',
    fields: (t) => ({
      object: t.expose('object', { type: 'ObjectReference', description: 'On which object.' }),
      type: t.exposeString('type', { description: 'Its type, such as `Accepted`.' }),
      status: t.exposeString('status', { description: 'True, False or Unknown.' }),
      reason: t.exposeString('reason', { nullable: true, description: "The controller's word for why." }),
      message: t.exposeString('message', { nullable: true, description: "The controller's sentence." }),
      at: t.expose('at', { type: 'DateTime', nullable: true, description: 'When it took this status.' }),
      observedGeneration: t.exposeInt('observedGeneration', {
        nullable: true,
        description: 'Of which generation of the object it speaks.',
      }),
      current: t.exposeBoolean('current', { description: 'Whether that is the present generation.' }),
    }),
  });
}
