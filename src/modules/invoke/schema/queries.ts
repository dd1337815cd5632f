import { SlipwayError } from '../../../errors.ts';
import type { Context } from '../../../module.ts';
import type { Builder } from '../../../schema/builder.ts';
import { parseGlobalId } from '../../../schema/ids.ts';
import { type Page, type PageArgs, pageArgs, pageCost } from '../../../schema/paging.ts';
import type { Entry } from '../entry.ts';
import type { History, InvocationFilter as Filter } from '../history.ts';
import { Invocations } from '../service.ts';
import { InvocationFilter } from './inputs.ts';

export function addQueries(builder: Builder): void {
  builder.queryField('invocations', (t) =>
    t.field({
      type: 'InvocationConnection',
      nullable: true,
      description: "The caller's own invocations, newest first.",
      args: {
        filter: t.arg({ type: InvocationFilter(builder), description: 'Only those that match.' }),
        ...pageArgs(t.arg),
      },
      complexity: pageCost,
      resolve: (_, { filter, ...page }, context) => ownPage(context, filter ?? {}, page),
    }),
  );
  builder.queryField('invocation', (t) =>
    t.field({
      type: 'Invocation',
      nullable: true,
      description: 'One invocation; null when it is absent or of somebody else.',
      args: { id: t.arg.id({ required: true, description: 'Its id.' }) },
      resolve: (_, { id }, context) => ownEntry(context, id),
    }),
  );
  builder.objectField('ServiceRun', 'invocations', (t) =>
    t.field({
      type: 'InvocationConnection',
      nullable: true,
      description: "The caller's own invocations of this run, newest first.",
      args: pageArgs(t.arg),
      complexity: pageCost,
      resolve: (run, page, context) => ownPage(context, { serviceRunId: run.id }, page),
    }),
  );
}

function ownPage(context: Context, filter: Filter, page: PageArgs): Promise<Page<Entry>> {
  return historyOf(context).page(context.caller.name, filter, page);
}

async function ownEntry(context: Context, id: string): Promise<Entry | null> {
  const local = invocationId(id);
  return (local && (await context.use(Invocations).history?.get(context.caller.name, local))) || null;
}

/** The history, or NOT_SUPPORTED where none is kept. */
export function historyOf(context: Context): History {
  const { history } = context.use(Invocations);
  if (history) return history;
  throw new SlipwayError('NOT_SUPPORTED', 'The history of calls is off on this server.', { reason: 'HISTORY_OFF' });
}

/** The id of an entry in a global id; null for any other id. */
export function invocationId(id: string): string | null {
  const parsed = parseGlobalId(id);
  return parsed?.typename === 'Invocation' ? parsed.local : null;
}
