import type { Builder } from '../../../schema/builder.ts';
import { RunOperations, type Written } from '../write/operations.ts';
import { RunServiceInput, ScaleServiceRunInput, ServiceRunActionInput } from './inputs.ts';

declare module '../../../schema/object-types.ts' {
  interface ObjectTypes {
    RunServicePayload: Written;
    ScaleServiceRunPayload: Written;
    StopServiceRunPayload: Written;
    ResumeServiceRunPayload: Written;
    RestartServiceRunPayload: Written;
    DeleteServiceRunPayload: { id: string; manifests: string };
  }
}

const payloads = [
  'RunServicePayload',
  'ScaleServiceRunPayload',
  'StopServiceRunPayload',
  'ResumeServiceRunPayload',
  'RestartServiceRunPayload',
] as const;

export function addMutations(builder: Builder): void {
  for (const name of payloads) {
    builder.objectType(name, {
      description: `What \`${name[0]?.toLowerCase()}${name.slice(1, -'Payload'.length)}\` did.`,
      fields: (t) => ({
        serviceRun: t.field({
          type: 'ServiceRun',
          nullable: true,
          description: 'The run as it is now; in a dry run a preview whose id does not resolve.',
          resolve: ({ run }) => run,
        }),
        manifests: t.exposeString('manifests', { description: 'YAML of all it wrote, or would write.' }),
      }),
    });
  }
  builder.objectType('DeleteServiceRunPayload', {
    description: 'What `deleteServiceRun` did.',
    fields: (t) => ({
      id: t.exposeID('id', { description: 'The id of the run that was removed.' }),
      manifests: t.exposeString('manifests', { description: 'YAML of all it removed, or would remove.' }),
    }),
  });
  addRunAndScale(builder);
  addActions(builder);
}

function addRunAndScale(builder: Builder): void {
  builder.mutationFields((t) => ({
    runService: t.field({
      type: 'RunServicePayload',
      nullable: true,
      description: 'Runs a service: makes its Deployment and its Service.',
      args: { input: t.arg({ type: RunServiceInput(builder), required: true, description: 'The service.' }) },
      resolve: (_, { input }, context) => context.use(RunOperations).run(input, context),
    }),
    scaleServiceRun: t.field({
      type: 'ScaleServiceRunPayload',
      nullable: true,
      description: 'Changes the number of replicas of a run.',
      args: { input: t.arg({ type: ScaleServiceRunInput(builder), required: true, description: 'Run and number.' }) },
      resolve: (_, { input }, context) => context.use(RunOperations).scale(input, context),
    }),
  }));
}

function addActions(builder: Builder): void {
  const input = ServiceRunActionInput(builder);
  builder.mutationFields((t) => ({
    stopServiceRun: t.field({
      type: 'StopServiceRunPayload',
      nullable: true,
      description: 'Stops a run: scales it to zero and remembers how many replicas it had.',
      args: { input: t.arg({ type: input, required: true, description: 'The run.' }) },
      resolve: (_, { input }, context) => context.use(RunOperations).stop(input, context),
    }),
    resumeServiceRun: t.field({
      type: 'ResumeServiceRunPayload',
      nullable: true,
      description: 'Brings back the replicas that a stopped run had.',
      args: { input: t.arg({ type: input, required: true, description: 'The run.' }) },
      resolve: (_, { input }, context) => context.use(RunOperations).resume(input, context),
    }),
    restartServiceRun: t.field({
      type: 'RestartServiceRunPayload',
      nullable: true,
      description: 'Replaces the Pods of a run by new ones, a few at a time.',
      args: { input: t.arg({ type: input, required: true, description: 'The run.' }) },
      resolve: (_, { input }, context) => context.use(RunOperations).restart(input, context),
    }),
    deleteServiceRun: t.field({
      type: 'DeleteServiceRunPayload',
      nullable: true,
      description: 'Removes a run: its Deployment and its Services.',
      args: { input: t.arg({ type: input, required: true, description: 'The run.' }) },
      resolve: async (_, { input }, context) => {
        const { manifests } = await context.use(RunOperations).remove(input, context);
        return { id: input.id, manifests };
      },
    }),
  }));
}
