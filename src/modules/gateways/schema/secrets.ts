import type { Builder } from '../../../schema/builder.ts';
import { takesLargeInput } from '../../../schema/limits.ts';
import { GatewayOperations } from '../operations.ts';
import type { GatewaySecretView, GeneratedCredential, SecretResult } from '../secrets/service.ts';
import { GatewayAuthKind } from './enums.ts';
import { CreateGatewaySecretInput, DeleteGatewaySecretInput, RotateGatewaySecretInput } from './secret-inputs.ts';

declare module '../../../schema/object-types.ts' {
  interface ObjectTypes {
    GatewaySecret: GatewaySecretView;
    GeneratedCredential: GeneratedCredential;
    CreateGatewaySecretPayload: SecretResult;
    RotateGatewaySecretPayload: SecretResult;
    DeleteGatewaySecretPayload: { deleted: boolean };
  }
}

/** The Secrets behind protection: names only, but for what was just generated. */
export function addSecrets(builder: Builder): void {
  addSecretTypes(builder);
  builder.queryField('gatewaySecrets', (t) =>
    t.field({
      type: ['GatewaySecret'],
      nullable: true,
      description: "The Secrets of a namespace that can serve, by name; read with the caller's rights, never a value.",
      args: {
        namespace: t.arg.string({ required: true, description: 'The namespace.' }),
        kind: t.arg({ type: GatewayAuthKind(builder), required: true, description: 'BASIC or API_KEY.' }),
      },
      resolve: (_, { namespace, kind }, context) =>
        context.use(GatewayOperations).secrets.list(context, namespace, kind),
    }),
  );
  addSecretMutations(builder);
}

function addSecretTypes(builder: Builder): void {
  builder.objectType('GatewaySecret', {
    description: 'A Secret that can serve: its name and client names or users, never a value.',
    fields: (t) => ({
      name: t.exposeString('name', { description: 'Its name.' }),
      namespace: t.exposeString('namespace', { description: 'Its namespace.' }),
      kind: t.field({
        type: GatewayAuthKind(builder),
        description: 'What it serves for.',
        resolve: ({ kind }) => kind,
      }),
      principals: t.exposeStringList('principals', { description: 'Its users or clients, sorted.' }),
      problem: t.exposeString('problem', { nullable: true, description: 'Why it can not serve; null when it can.' }),
    }),
  });
  builder.objectType('GeneratedCredential', {
    description: 'A credential that was just made. It is shown this once and never again.',
    fields: (t) => ({
      principal: t.exposeString('principal', { description: 'The user or client it is for.' }),
      value: t.exposeString('value', { description: 'The password or key.' }),
    }),
  });
  for (const [name, what] of [
    ['CreateGatewaySecretPayload', 'createGatewaySecret'],
    ['RotateGatewaySecretPayload', 'rotateGatewaySecret'],
  ] as const) {
    builder.objectType(name, {
      description: `What \`${what}\` did.`,
      fields: (t) => ({
        secret: t.field({ type: 'GatewaySecret', description: 'The Secret.', resolve: ({ secret }) => secret }),
        generated: t.expose('generated', {
          type: ['GeneratedCredential'],
          description: 'What was generated: shown once, never again.',
        }),
      }),
    });
  }
  builder.objectType('DeleteGatewaySecretPayload', {
    description: 'What `deleteGatewaySecret` did.',
    fields: (t) => ({
      deleted: t.exposeBoolean('deleted', { description: 'False when there was no such Secret.' }),
    }),
  });
}

function addSecretMutations(builder: Builder): void {
  builder.mutationFields((t) => ({
    createGatewaySecret: t.field({
      ...takesLargeInput,
      type: 'CreateGatewaySecretPayload',
      nullable: true,
      description: 'Makes a Secret with credentials for gateways.',
      args: { input: t.arg({ type: CreateGatewaySecretInput(builder), required: true, description: 'The Secret.' }) },
      resolve: (_, { input }, context) => context.use(GatewayOperations).secrets.create(context, input),
    }),
    rotateGatewaySecret: t.field({
      ...takesLargeInput,
      type: 'RotateGatewaySecretPayload',
      nullable: true,
      description: 'Replaces, adds and removes credentials of a Secret that Slipway made.',
      args: { input: t.arg({ type: RotateGatewaySecretInput(builder), required: true, description: 'Whose.' }) },
      resolve: (_, { input }, context) => context.use(GatewayOperations).secrets.rotate(context, input),
    }),
    deleteGatewaySecret: t.field({
      type: 'DeleteGatewaySecretPayload',
      nullable: true,
      description: 'Deletes a Secret that Slipway made; refused while a gateway uses it.',
      args: { input: t.arg({ type: DeleteGatewaySecretInput(builder), required: true, description: 'Which one.' }) },
      resolve: async (_, { input }, context) => ({
        deleted: await context.use(GatewayOperations).secrets.delete(context, input),
      }),
    }),
  }));
}
