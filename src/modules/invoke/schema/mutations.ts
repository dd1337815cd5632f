import { invalid } from '../../../errors.ts';
import type { Context } from '../../../module.ts';
import type { Builder } from '../../../schema/builder.ts';
import { takesLargeInput } from '../../../schema/limits.ts';
import type { Entry } from '../entry.ts';
import type { CallInput } from '../prepare.ts';
import { Invocations } from '../service.ts';
import { DeleteInvocationsInput, InvokeServiceInput, ReplayInvocationInput } from './inputs.ts';
import { callProblems } from './once.ts';
import { historyOf, invocationId } from './queries.ts';

declare module '../../../schema/object-types.ts' {
  interface ObjectTypes {
    InvokeServicePayload: { invocation: Entry };
    ReplayInvocationPayload: { invocation: Entry };
    DeleteInvocationsPayload: { deleted: number };
  }
}

type Invoke = ReturnType<typeof InvokeServiceInput>['$inferInput'];
type Delete = ReturnType<typeof DeleteInvocationsInput>['$inferInput'];

const mostIds = 200;

/** The input as the module works with it: nothing is undefined. */
export function callInput({ id, method, port, path, url, headers, body, timeoutMs, record }: Invoke): CallInput {
  return {
    id,
    method,
    port: port ?? null,
    path: path ?? null,
    url: url ?? null,
    headers: (headers ?? []).map(({ name, value }) => ({ name, value })),
    body: body ?? null,
    timeoutMs: timeoutMs ?? null,
    record,
  };
}

export function addMutations(builder: Builder): void {
  addPayloads(builder);
  builder.mutationFields((t) => ({
    invokeService: t.field({
      ...takesLargeInput,
      type: 'InvokeServicePayload',
      nullable: true,
      description:
        'Calls a service, once. What the service did, an error status too, is data; a refusal is an error and is recorded. At most one call in an operation.',
      args: { input: t.arg({ type: InvokeServiceInput(builder), required: true, description: 'The call.' }) },
      async resolve(_, { input }, context, info) {
        const key = input.idempotencyKey ?? null;
        const invocations = context.use(Invocations);
        return { invocation: await invocations.invoke(callInput(input), key, context, callProblems(info)) };
      },
    }),
    replayInvocation: t.field({
      ...takesLargeInput,
      type: 'ReplayInvocationPayload',
      nullable: true,
      description: 'Makes a call of the history again, as a new one. At most one call in an operation.',
      args: { input: t.arg({ type: ReplayInvocationInput(builder), required: true, description: 'Which one.' }) },
      async resolve(_, { input }, context, info) {
        const replay = {
          id: invocationId(input.id) ?? '',
          path: input.path ?? null,
          headers: input.headers?.map(({ name, value }) => ({ name, value })) ?? null,
          body: input.body ?? null,
          idempotencyKey: input.idempotencyKey ?? null,
        };
        return { invocation: await context.use(Invocations).replay(replay, context, callProblems(info)) };
      },
    }),
    deleteInvocations: t.field({
      type: 'DeleteInvocationsPayload',
      nullable: true,
      description: "Deletes from the caller's own history.",
      args: { input: t.arg({ type: DeleteInvocationsInput(builder), required: true, description: 'Which ones.' }) },
      resolve: async (_, { input }, context) => ({ deleted: await deleteOwn(input, context) }),
    }),
  }));
}

function addPayloads(builder: Builder): void {
  for (const name of ['InvokeServicePayload', 'ReplayInvocationPayload'] as const) {
    builder.objectType(name, {
      description: 'A call that was made.',
      fields: (t) => ({
        invocation: t.field({
          type: 'Invocation',
          description: 'The call, with its answer whole and in the clear.',
          resolve: ({ invocation }) => invocation,
        }),
      }),
    });
  }
  builder.objectType('DeleteInvocationsPayload', {
    description: 'What `deleteInvocations` did.',
    fields: (t) => ({ deleted: t.exposeInt('deleted', { description: 'How many were deleted.' }) }),
  });
}

function deleteOwn({ ids, serviceRunId, olderThan }: Delete, context: Context): Promise<number> {
  const history = historyOf(context);
  const caller = context.caller.name;
  if (olderThan) return history.delete(caller, { before: olderThan.getTime() });
  if (serviceRunId != null) return history.delete(caller, { serviceRunId });
  if ((ids?.length ?? 0) > mostIds) throw invalid('ids', `Give at most ${mostIds} ids at once.`, 'TOO_MANY');
  return history.delete(caller, { ids: (ids ?? []).map(invocationId).filter((id) => id !== null) });
}
