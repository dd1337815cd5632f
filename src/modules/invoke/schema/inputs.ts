import { perBuilder } from '../../../schema/builder.ts';
import { HeaderInput } from '../../../schema/common-types.ts';
import { HttpMethod } from '../../../schema/enums.ts';
import { InvocationOutcome } from './enums.ts';

const keyDescription =
  '8 to 128 printable characters: the same key with the same input returns the first result for 24 hours and calls nothing again.';

export const InvokeServiceInput = perBuilder((builder) =>
  builder.inputType('InvokeServiceInput', {
    description: 'A call of a service.',
    fields: (t) => ({
      id: t.id({ required: true, description: 'The service run.' }),
      method: t.field({
        type: HttpMethod(builder),
        required: true,
        defaultValue: 'GET',
        description: 'The HTTP method.',
      }),
      port: t.int({ description: 'A port of the Service; default: its first.' }),
      path: t.string({ description: 'Absolute path with optional query, sent byte for byte; default: `/`.' }),
      url: t.string({
        description: "Instead of port and path: a URL that lies under one of the run's registered addresses.",
      }),
      headers: t.field({
        type: [HeaderInput(builder)],
        description: 'Headers to send, in their order; those of the connection and of the platform are refused.',
      }),
      body: t.string({ description: 'The body, sent as UTF-8.' }),
      timeoutMs: t.int({
        description: 'Time limit in ms for the first byte and the whole call, up to the configured maximum.',
      }),
      record: t.boolean({
        required: true,
        defaultValue: true,
        description: 'False keeps bodies and headers out of the history.',
      }),
      idempotencyKey: t.string({ description: keyDescription }),
    }),
  }),
);

export const ReplayInvocationInput = perBuilder((builder) =>
  builder.inputType('ReplayInvocationInput', {
    description: 'A call of the history to make again. What the history redacted or cut has to be given anew.',
    fields: (t) => ({
      id: t.id({ required: true, description: 'The invocation.' }),
      path: t.string({ description: 'Another path with query.' }),
      headers: t.field({
        type: [HeaderInput(builder)],
        description: 'Headers that take the place of recorded ones of the same name, or come in addition.',
      }),
      body: t.string({ description: 'Another body.' }),
      idempotencyKey: t.string({ description: keyDescription }),
    }),
  }),
);

export const DeleteInvocationsInput = perBuilder((builder) =>
  builder.inputType('DeleteInvocationsInput', {
    description: "Which of the caller's own invocations to delete.",
    isOneOf: true,
    fields: (t) => ({
      ids: t.idList({ description: 'These; at most 200.' }),
      serviceRunId: t.id({ description: 'All of this service run.' }),
      olderThan: t.field({ type: 'DateTime', description: 'All that began before this time.' }),
    }),
  }),
);

export const InvocationFilter = perBuilder((builder) =>
  builder.inputType('InvocationFilter', {
    description: 'Which invocations: those that match every given field. Null means no filter, [] matches nothing.',
    fields: (t) => ({
      serviceRunId: t.id({ description: 'Of this service run.' }),
      outcome: t.field({ type: [InvocationOutcome(builder)], description: 'With one of these outcomes.' }),
      search: t.string({ description: 'With this text in URL, method, run id or message, whatever its case.' }),
    }),
  }),
);
