import { perBuilder } from '../../../schema/builder.ts';
import { GatewayPhase } from './enums.ts';

const BasicAuthInput = perBuilder((builder) =>
  builder.inputType('BasicAuthInput', {
    description: 'User names and passwords.',
    fields: (t) => ({
      secretName: t.string({
        required: true,
        description: 'The Secret with them, in the namespace of the gateway; see `createGatewaySecret`.',
      }),
    }),
  }),
);

const ApiKeyAuthInput = perBuilder((builder) =>
  builder.inputType('ApiKeyAuthInput', {
    description: 'A key in a header.',
    fields: (t) => ({
      secretName: t.string({
        required: true,
        description: 'The Secret with the keys, in the namespace of the gateway; see `createGatewaySecret`.',
      }),
      headerName: t.string({ defaultValue: 'x-api-key', description: 'The header that carries the key.' }),
    }),
  }),
);

const ClaimToHeaderInput = perBuilder((builder) =>
  builder.inputType('ClaimToHeaderInput', {
    description: 'A claim that the service gets as a header.',
    fields: (t) => ({
      claim: t.string({ required: true, description: 'The name of the claim; dots lead into nested ones.' }),
      header: t.string({ required: true, description: 'The header; what callers send in it is replaced.' }),
    }),
  }),
);

const JwtAuthInput = perBuilder((builder) =>
  builder.inputType('JwtAuthInput', {
    description: 'A signed token as `Authorization: Bearer`.',
    fields: (t) => ({
      jwksUri: t.string({
        required: true,
        description:
          'Where the keys of the issuer are: its `jwks_uri`, https. The embedded cluster also takes http on loopback.',
      }),
      issuer: t.string({ required: true, description: 'The `iss` that tokens must have, to the letter.' }),
      audiences: t.stringList({
        description: 'Tokens must be for one of these; without any, tokens for other services pass too.',
      }),
      claimToHeaders: t.field({
        type: [ClaimToHeaderInput(builder)],
        description: 'Claims that the service gets as headers.',
      }),
    }),
  }),
);

const GatewayAuthInput = perBuilder((builder) =>
  builder.inputType('GatewayAuthInput', {
    description: 'How callers show who they are.',
    isOneOf: true,
    fields: (t) => ({
      none: t.boolean({ description: 'Only true: everybody may call. False is INVALID, never open.' }),
      basic: t.field({ type: BasicAuthInput(builder), description: 'By user name and password.' }),
      apiKey: t.field({ type: ApiKeyAuthInput(builder), description: 'By a key in a header.' }),
      jwt: t.field({ type: JwtAuthInput(builder), description: 'By a signed token.' }),
    }),
  }),
);

const GatewayBackendInput = perBuilder((builder) =>
  builder.inputType('GatewayBackendInput', {
    description: 'The Service that a gateway leads to.',
    fields: (t) => ({
      service: t.string({ required: true, description: 'The name of the Service.' }),
      namespace: t.string({ description: 'Its namespace; default: that of the gateway.' }),
      port: t.int({ description: 'The port of the Service; may be left out when it has one.' }),
    }),
  }),
);

const GatewayParentInput = perBuilder((builder) =>
  builder.inputType('GatewayParentInput', {
    description: "Gateway API's Gateway that serves a route.",
    fields: (t) => ({
      namespace: t.string({ required: true, description: 'Its namespace.' }),
      name: t.string({ required: true, description: 'Its name.' }),
      sectionName: t.string({ description: 'One of its listeners; default: every one that takes the route.' }),
    }),
  }),
);

const dryRun = 'Checks everything, writes nothing, and returns the manifests and a preview whose id does not resolve.';

export const CreateGatewayInput = perBuilder((builder) =>
  builder.inputType('CreateGatewayInput', {
    description: 'A gateway to create.',
    fields: (t) => ({
      name: t.string({ required: true, description: 'Its name: one DNS label.' }),
      namespace: t.string({ description: "Its namespace, which is the backend's; default: that." }),
      backend: t.field({ type: GatewayBackendInput(builder), required: true, description: 'Where it leads.' }),
      hostname: t.string({
        description: 'A full domain name without wildcard; default: the name under the configured services domain.',
      }),
      pathPrefix: t.string({ defaultValue: '/', description: 'Only requests under this path, by whole segments.' }),
      rewritePathPrefix: t.string({
        description: 'What the service gets in place of the prefix; without it the path goes on unchanged.',
      }),
      auth: t.field({
        type: GatewayAuthInput(builder),
        required: true,
        description: 'How callers show who they are: said out loud, also for nothing.',
      }),
      parent: t.field({
        type: GatewayParentInput(builder),
        description: 'What serves it; default: the configured Gateway.',
      }),
      dryRun: t.boolean({ defaultValue: false, description: dryRun }),
      idempotencyKey: t.string({
        description:
          '8 to 128 printable characters, kept 24 hours for each caller and mutation: the same key with the same input returns the first result and does nothing again; with other input it is CONFLICT.',
      }),
    }),
  }),
);

export const UpdateGatewayInput = perBuilder((builder) =>
  builder.inputType('UpdateGatewayInput', {
    description: 'What to change in a gateway: fields left out stay. backend, auth and parent are replaced whole.',
    fields: (t) => ({
      id: t.id({ required: true, description: 'The global id of the gateway.' }),
      resourceVersion: t.string({ description: 'The one you saw: if it is no longer the present one, CONFLICT.' }),
      backend: t.field({ type: GatewayBackendInput(builder), description: 'Where it leads. Null is INVALID.' }),
      hostname: t.string({ description: 'A full domain name; null: the default one.' }),
      pathPrefix: t.string({ description: 'Only requests under this path; null: all.' }),
      rewritePathPrefix: t.string({
        description: 'What the service gets in place of the prefix; null: the path unchanged.',
      }),
      auth: t.field({
        type: GatewayAuthInput(builder),
        description: 'How callers show who they are. Null is INVALID.',
      }),
      parent: t.field({ type: GatewayParentInput(builder), description: 'What serves it. Null is INVALID.' }),
      dryRun: t.boolean({ defaultValue: false, description: dryRun }),
    }),
  }),
);

export const DeleteGatewayInput = perBuilder((builder) =>
  builder.inputType('DeleteGatewayInput', {
    description: 'A gateway to delete.',
    fields: (t) => ({
      id: t.id({ required: true, description: 'The global id of the gateway.' }),
      resourceVersion: t.string({ description: 'The one you saw: if it is no longer the present one, CONFLICT.' }),
      dryRun: t.boolean({
        defaultValue: false,
        description: 'Checks everything, deletes nothing, and returns the manifests.',
      }),
    }),
  }),
);

export const GatewayFilter = perBuilder((builder) =>
  builder.inputType('GatewayFilter', {
    description:
      'Which gateways. All given conditions must hold; null means no condition, an empty list matches nothing.',
    fields: (t) => ({
      namespace: t.stringList({ description: 'In one of these namespaces.' }),
      project: t.stringList({ description: 'Of one of these projects.' }),
      search: t.string({
        description:
          'Words that must all occur in name, namespace, project, Service or hostnames; case does not matter.',
      }),
      phase: t.field({ type: [GatewayPhase(builder)], description: 'In one of these phases.' }),
      serviceRunId: t.id({ description: 'Leading to this service run.' }),
    }),
  }),
);

const GatewayName = perBuilder((builder) =>
  builder.inputType('GatewayName', {
    description: 'Names a gateway.',
    fields: (t) => ({
      namespace: t.string({ required: true, description: 'Its namespace.' }),
      name: t.string({ required: true, description: 'Its name.' }),
    }),
  }),
);

export const GatewayBy = perBuilder((builder) =>
  builder.inputType('GatewayBy', {
    description: 'Names one gateway.',
    isOneOf: true,
    fields: (t) => ({
      id: t.id({ description: 'Its global id.' }),
      name: t.field({ type: GatewayName(builder), description: 'Its namespace and name.' }),
    }),
  }),
);

export const GatewayBackendFilter = perBuilder((builder) =>
  builder.inputType('GatewayBackendFilter', {
    description:
      'Which Services. All given conditions must hold; null means no condition, an empty list matches nothing.',
    fields: (t) => ({
      namespace: t.stringList({ description: 'In one of these namespaces.' }),
      project: t.stringList({ description: 'Of one of these projects.' }),
      search: t.string({
        description: 'Words that must all occur in name, namespace, project or label values; case does not matter.',
      }),
    }),
  }),
);
