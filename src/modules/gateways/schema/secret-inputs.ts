import { perBuilder } from '../../../schema/builder.ts';

const BasicUserInput = perBuilder((builder) =>
  builder.inputType('BasicUserInput', {
    description: 'A user of a gateway.',
    fields: (t) => ({
      username: t.string({ required: true, description: 'The user name: no colon, no control characters.' }),
      password: t.string({ description: 'At least 16 characters; without it one is generated and shown once.' }),
    }),
  }),
);

const CreateBasicSecretInput = perBuilder((builder) =>
  builder.inputType('CreateBasicSecretInput', {
    description: 'A Secret with users and passwords.',
    fields: (t) => ({
      namespace: t.string({ required: true, description: 'Its namespace: that of the gateways it is for.' }),
      name: t.string({ required: true, description: 'Its name.' }),
      users: t.field({ type: [BasicUserInput(builder)], required: true, description: 'The users, at least one.' }),
    }),
  }),
);

const CreateApiKeySecretInput = perBuilder((builder) =>
  builder.inputType('CreateApiKeySecretInput', {
    description: 'A Secret with API keys, which are generated.',
    fields: (t) => ({
      namespace: t.string({ required: true, description: 'Its namespace: that of the gateways it is for.' }),
      name: t.string({ required: true, description: 'Its name.' }),
      clients: t.stringList({ required: true, description: 'Who gets a key: letters, digits, "-", "_" and ".".' }),
    }),
  }),
);

export const CreateGatewaySecretInput = perBuilder((builder) =>
  builder.inputType('CreateGatewaySecretInput', {
    description: 'A Secret that gateways ask credentials from.',
    isOneOf: true,
    fields: (t) => ({
      basic: t.field({ type: CreateBasicSecretInput(builder), description: 'With users and passwords.' }),
      apiKey: t.field({ type: CreateApiKeySecretInput(builder), description: 'With API keys.' }),
    }),
  }),
);

export const RotateGatewaySecretInput = perBuilder((builder) =>
  builder.inputType('RotateGatewaySecretInput', {
    description: 'Whose credentials to replace. Everybody not named keeps theirs.',
    fields: (t) => ({
      namespace: t.string({ required: true, description: 'The namespace of the Secret.' }),
      name: t.string({ required: true, description: 'The name of the Secret.' }),
      principals: t.stringList({
        description:
          'Users or clients that get a new value; absent: all who are in it. To only add or remove, give [].',
      }),
      add: t.stringList({ description: 'New users or clients.' }),
      remove: t.stringList({ description: 'Users or clients whose credentials end.' }),
    }),
  }),
);

export const DeleteGatewaySecretInput = perBuilder((builder) =>
  builder.inputType('DeleteGatewaySecretInput', {
    description: 'A Secret to delete; refused while a gateway uses it.',
    fields: (t) => ({
      namespace: t.string({ required: true, description: 'The namespace of the Secret.' }),
      name: t.string({ required: true, description: 'The name of the Secret.' }),
    }),
  }),
);
