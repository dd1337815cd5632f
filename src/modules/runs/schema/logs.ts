import { SlipwayError } from '../../../errors.ts';
import type { Builder } from '../../../schema/builder.ts';
import { whileAllowed } from '../../../schema/stream/withdrawal.ts';
import { followLogs } from '../logs/follow.ts';
import type { LogLine } from '../logs/lines.ts';
import { ServiceRunBy } from './inputs.ts';
import { findRun } from './queries.ts';

declare module '../../../schema/object-types.ts' {
  interface ObjectTypes {
    LogLine: LogLine;
  }
}

export function addLogStream(builder: Builder): void {
  builder.objectType('LogLine', {
    description: 'A line that a container wrote.',
    fields: (t) => ({
      pod: t.exposeString('pod', { description: 'The Pod.' }),
      container: t.exposeString('container', { description: 'The container.' }),
      at: t.expose('at', { type: 'DateTime', nullable: true, description: 'When it was written.' }),
      line: t.exposeString('line', { description: 'The line, without its end.' }),
    }),
  });
  builder.subscriptionField('serviceRunLogs', (t) =>
    t.field({
      type: 'LogLine',
      description:
        'The logs of a run, of all its Pods and containers, also of those that come later. Ends when the run is gone, or without `follow` at once.',
      args: {
        by: t.arg({ type: ServiceRunBy(builder), required: true, description: 'Which run.' }),
        pod: t.arg.string({ description: 'Only of this Pod.' }),
        container: t.arg.string({ description: 'Only of containers with this name.' }),
        previous: t.arg.boolean({
          defaultValue: false,
          description: 'Of the run before the last restart; not together with `follow`.',
        }),
        tailLines: t.arg.int({ defaultValue: 200, description: 'How many old lines of each container, 1 to 5000.' }),
        since: t.arg({ type: 'DateTime', description: 'Only lines of this time or later.' }),
        follow: t.arg.boolean({ defaultValue: true, description: 'Whether to go on with lines as they are written.' }),
      },
      subscribe: async (_, { by, ...args }, context) => {
        const run = await findRun(by, context);
        if (!run) {
          const field = Object.keys(by)[0] ?? 'id';
          throw new SlipwayError('NOT_FOUND', 'There is no such service run, or you may not see it.', {
            field: `by.${field}`,
          });
        }
        const lines = await followLogs(run, { ...args, follow: args.follow !== false && !args.previous }, context);
        return whileAllowed(lines, context, 'logs', run);
      },
      resolve: (line) => line,
    }),
  );
}
