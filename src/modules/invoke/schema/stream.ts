import type { Builder } from '../../../schema/builder.ts';
import { takesLargeInput } from '../../../schema/limits.ts';
import { Invocations } from '../service.ts';
import { InvokeServiceInput } from './inputs.ts';
import { callInput } from './mutations.ts';

export function addStream(builder: Builder): void {
  builder.subscriptionField('invokeServiceStream', (t) =>
    t.field({
      ...takesLargeInput,
      type: 'InvocationChunk',
      description:
        'Calls a service that streams text (text/event-stream, NDJSON, chunked text), once, and hands on its answer as it comes. ' +
        'Opened again with the same idempotencyKey it calls nothing and gives what the history has.',
      args: { input: t.arg({ type: InvokeServiceInput(builder), required: true, description: 'The call.' }) },
      subscribe: (_, { input }, context) =>
        context.use(Invocations).stream(callInput(input), input.idempotencyKey ?? null, context),
      resolve: (chunk) => chunk,
    }),
  );
}
