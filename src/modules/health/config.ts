import { z } from 'zod';
import { isDatabaseUrl } from '../../database.ts';

/** Configuration of the module, under the key `health`. */
export const healthConfig = z.strictObject({
  historyUrl: z
    .string()
    .refine((url) => url === 'off' || isDatabaseUrl(url), 'must be "off", "sqlite:<file>" or "postgres://…"')
    .default('sqlite:health.db')
    .describe(
      'Where transitions are kept: `sqlite:<file>` (in the data folder), `postgres://…` (for several replicas), or `off`.',
    ),
  historyDays: z.number().int().min(1).default(30).describe('How long transitions are kept, in days.'),
  historyPerRun: z.number().int().min(1).default(500).describe('How many transitions of one run are kept.'),
});

export type HealthConfig = z.infer<typeof healthConfig>;
