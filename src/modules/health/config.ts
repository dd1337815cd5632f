import { z } from 'zod';

/** Configuration of the module, under the key `health`. */
export const healthConfig = z.strictObject({
  history: z
    .enum(['sqlite', 'off'])
    .default('sqlite')
    .describe('Where transitions are kept: `sqlite` in the data folder, or `off`.'),
  historyDays: z.number().int().min(1).default(30).describe('How long transitions are kept, in days.'),
  historyPerRun: z.number().int().min(1).default(500).describe('How many transitions of one run are kept.'),
});

export type HealthConfig = z.infer<typeof healthConfig>;
