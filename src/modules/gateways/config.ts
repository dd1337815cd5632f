import { z } from 'zod';
import { hostnameProblem } from './hostname.ts';
import { parseParent } from './parents.ts';

const domain = z.string().refine(
  // What must be a hostname is a name under it.
  (text) => hostnameProblem(`x.${text}`, { domain: '', allowedDomains: [] }) === null,
  'must be a domain name such as services.example.org',
);

export const config = z.strictObject({
  domain: domain
    .default('services.localhost')
    .describe('Domain under which gateways get their hostname when none is given: `<name>.<domain>`.'),
  allowedDomains: z
    .array(domain)
    .default([])
    .describe('Further domains under which hostnames may lie; empty: wherever the listeners of the Gateway take them.'),
  parent: z
    .string()
    .refine((text) => parseParent(text) !== null, 'must be namespace/name or namespace/name/section')
    .optional()
    .describe(
      'The Gateway that serves when none is given: `namespace/name[/section]`. The embedded cluster has its own.',
    ),
  policy: z
    .string()
    .min(1)
    .default('auto')
    .describe('Who enforces protection: `auto` (by the controller of the Gateway) or the name of a policy back end.'),
  takeoverSeconds: z
    .number()
    .min(0)
    .max(60)
    .default(1)
    .describe(
      'How long a new protected gateway stays closed after its controller has accepted the protection, in seconds. One more ' +
        "than Envoy's drain time closes it to connections from before, too.",
    ),
});

export type GatewaysConfig = z.infer<typeof config>;
