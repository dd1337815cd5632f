import { z } from 'zod';

/** Configuration of the module, under the key `metrics`. */
export const metricsConfig = z.strictObject({
  port: z
    .number()
    .int()
    .min(0)
    .max(65535)
    .optional()
    .describe('Port of `/metrics`; 0 picks a free one. Without it 9464, and none in embedded mode.'),
  host: z.string().min(1).default('127.0.0.1').describe('Address that `/metrics` is served on.'),
});

export type MetricsConfig = z.infer<typeof metricsConfig>;
