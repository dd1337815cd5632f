import type { Builder } from '../../../schema/builder.ts';
import { manifestsOf } from '../manifests.ts';
import type { GatewayResult } from '../create.ts';
import type { GatewayNotice } from '../notices.ts';
import { GatewayOperations } from '../operations.ts';
import { CreateGatewayInput, DeleteGatewayInput, UpdateGatewayInput } from './inputs.ts';

declare module '../../../schema/object-types.ts' {
  interface ObjectTypes {
    CreateGatewayPayload: GatewayResult;
    UpdateGatewayPayload: GatewayResult;
    DeleteGatewayPayload: { id: string } & Pick<GatewayResult, 'objects'>;
    GatewayNotice: GatewayNotice;
  }
}

export function addMutations(builder: Builder): void {
  builder.objectType('GatewayNotice', {
    description: 'Something that is allowed but may not be meant.',
    fields: (t) => ({
      code: t.exposeString('code', { description: 'A machine word, such as `NO_AUTH`.' }),
      message: t.exposeString('message', { description: 'What it means.' }),
      field: t.exposeString('field', { nullable: true, description: 'The input field it is about.' }),
    }),
  });
  for (const [name, what] of [
    ['CreateGatewayPayload', 'createGateway'],
    ['UpdateGatewayPayload', 'updateGateway'],
  ] as const) {
    builder.objectType(name, {
      description: `What \`${what}\` did.`,
      fields: (t) => ({
        gateway: t.field({
          type: 'Gateway',
          nullable: true,
          description: 'The gateway as it is now; in a dry run a preview whose id does not resolve.',
          resolve: ({ gateway }) => gateway,
        }),
        manifests: t.string({
          description: 'YAML of route and policy, in the order they are written.',
          resolve: ({ objects }) => manifestsOf(objects, 'YAML'),
        }),
        warnings: t.stringList({
          description: 'What is allowed but may not be meant, as sentences.',
          resolve: ({ notices }) => notices.map(({ message }) => message),
        }),
        notices: t.expose('notices', { type: ['GatewayNotice'], description: 'The warnings with code and field.' }),
      }),
    });
  }
  builder.objectType('DeleteGatewayPayload', {
    description: 'What `deleteGateway` did.',
    fields: (t) => ({
      id: t.exposeID('id', { description: 'The id of the gateway that was deleted.' }),
      manifests: t.string({
        description: 'YAML of all it deleted, or would delete.',
        resolve: ({ objects }) => manifestsOf(objects, 'YAML'),
      }),
    }),
  });
  addFields(builder);
}

function addFields(builder: Builder): void {
  builder.mutationFields((t) => ({
    createGateway: t.field({
      type: 'CreateGatewayPayload',
      nullable: true,
      description: 'Exposes a service: writes its policy, then its route. When it fails, nothing is left.',
      args: { input: t.arg({ type: CreateGatewayInput(builder), required: true, description: 'The gateway.' }) },
      resolve: (_, { input }, context) => context.use(GatewayOperations).create(context, input),
    }),
    updateGateway: t.field({
      type: 'UpdateGatewayPayload',
      nullable: true,
      description: 'Changes a gateway in place: there is no moment without protection.',
      args: { input: t.arg({ type: UpdateGatewayInput(builder), required: true, description: 'What to change.' }) },
      resolve: (_, { input }, context) => context.use(GatewayOperations).update(context, input),
    }),
    deleteGateway: t.field({
      type: 'DeleteGatewayPayload',
      nullable: true,
      description: 'Deletes a gateway: the route first, then its policy. Secrets stay.',
      args: { input: t.arg({ type: DeleteGatewayInput(builder), required: true, description: 'The gateway.' }) },
      resolve: async (_, { input }, context) => {
        const { objects } = await context.use(GatewayOperations).delete(context, input);
        return { id: input.id, objects };
      },
    }),
  }));
}
