import { z } from 'zod';
import { SlipwayError } from '../../errors.ts';
import { parseLabelSelector } from '../../k8s/selectors.ts';

const labelKey = z.string().min(1);

const sourceConfig = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/, 'must be lower-case letters, digits and dashes')
    .refine((name) => name !== 'slipway' && name !== 'digitalhub', 'is the name of a built-in source')
    .describe('The value of `ServiceRun.source`.'),
  labelSelector: z
    .string()
    .min(1)
    .superRefine((text, context) => {
      try {
        parseLabelSelector(text);
      } catch (error) {
        if (!(error instanceof SlipwayError)) throw error;
        context.addIssue({ code: 'custom', message: error.message });
      }
    })
    .describe('Which Deployments and Services are its runs.'),
  labels: z
    .strictObject({
      runId: labelKey.optional(),
      name: labelKey.optional(),
      project: labelKey.optional(),
      function: labelKey.optional(),
      kind: labelKey.optional(),
      user: labelKey.optional(),
      protocol: labelKey.optional(),
      model: labelKey.optional(),
    })
    .default({})
    .describe('The label key behind each field. `runId` defaults to app.kubernetes.io/instance, then the object name.'),
  kind: z.string().optional().describe('The kind of runs that have no label for it.'),
  protocol: z
    .enum(['HTTP', 'OPEN_INFERENCE', 'OPENAI'])
    .default('HTTP')
    .describe('The protocol of runs that have no label for it.'),
});

/** Configuration of the module, under the key `runs`. */
export const runsConfig = z.strictObject({
  restartWindowMs: z
    .number()
    .int()
    .min(1000)
    .default(600_000)
    .describe('How long a restart of a container, or a loss of readiness, counts against the health of its run.'),
  restartThreshold: z
    .number()
    .int()
    .min(1)
    .default(2)
    .describe(
      'Restarts, or losses of readiness, within the window from which a run is DEGRADED even while it is ready.',
    ),
  startDeadlineMs: z
    .number()
    .int()
    .min(1000)
    .default(60_000)
    .describe('How long a Pod may take to be placed and get ready before its run is DEGRADED instead of PROGRESSING.'),
  maxReplicas: z.number().int().min(1).default(100).describe('The most replicas that may be asked for.'),
  sources: z.array(sourceConfig).default([]).describe('Further label conventions by which runs are found.'),
});

export type RunsConfig = z.infer<typeof runsConfig>;
export type SourceConfig = z.infer<typeof sourceConfig>;
