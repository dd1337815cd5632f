import { SlipwayError } from '../../../errors.ts';
import type { Context } from '../../../module.ts';
import type { Builder } from '../../../schema/builder.ts';
import { pageArgs, pageCost } from '../../../schema/paging.ts';
import { listRuns } from '../list.ts';
import { notKnown } from '../runs.ts';
import { type RunView, Runs } from '../service.ts';
import { ServiceRunBy, ServiceRunFilter, ServiceRunOrder } from './inputs.ts';

type By = ReturnType<typeof ServiceRunBy>['$inferInput'];

export function addQueries(builder: Builder): void {
  builder.queryField('serviceRuns', (t) =>
    t.field({
      type: 'ServiceRunConnection',
      description: 'The service runs the caller may see; counts include no others.',
      args: {
        filter: t.arg({ type: ServiceRunFilter(builder), description: 'Only runs that match.' }),
        orderBy: t.arg({
          type: ServiceRunOrder(builder),
          defaultValue: { field: 'CREATED_AT', direction: 'DESC' },
          description: 'The order; newest first when not given.',
        }),
        ...pageArgs(t.arg),
      },
      complexity: pageCost,
      async resolve(_, args, context) {
        const runs = context.use(Runs);
        // Where they are not known the list says STALE.
        await runs.whenKnown();
        return listRuns(runs, await context.access.scope('see'), args);
      },
    }),
  );
  builder.queryField('serviceRun', (t) =>
    t.field({
      type: 'ServiceRun',
      nullable: true,
      description: 'One service run; null when it is absent or not visible.',
      args: { by: t.arg({ type: ServiceRunBy(builder), required: true, description: 'Which one.' }) },
      resolve: (_, { by }, context) => findRun(by, context),
    }),
  );
}

/** The run an input names, if the caller may see it. A run id that several visible runs have is CONFLICT. */
export async function findRun(by: By, context: Context): Promise<RunView | null> {
  const runs = context.use(Runs);
  if (!(await runs.whenKnown())) throw notKnown(context.cluster.freshness);
  const scope = await context.access.scope('see');
  if (by.runId !== null && by.runId !== undefined) {
    const hits = [...runs.all()].filter((run) => run.runId === by.runId && scope.includes(run));
    if (hits.length > 1) {
      const places = hits.map((run) => run.namespace).join(', ');
      throw new SlipwayError('CONFLICT', `${hits.length} runs have the id ${by.runId}, in ${places}: name one by id.`, {
        field: 'by.runId',
        reason: 'AMBIGUOUS',
      });
    }
    return hits[0] ?? null;
  }
  const run = by.service ? runs.byService(by.service.namespace, by.service.name) : runs.byId(by.id ?? '');
  return run && scope.includes(run) ? run : null;
}
