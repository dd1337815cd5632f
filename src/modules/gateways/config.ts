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
    .max(600)
    .default(1)
    .describe(
      'How long a gateway with new protection stays closed after its controller has accepted the protection, in seconds: ' +
        'what the data plane takes to put it into effect.',
    ),
  drainSeconds: z
    .number()
    .min(0)
    .max(3600)
    .optional()
    .describe(
      'How long it stays closed beyond that where connections from before would not be asked for credentials, in seconds. ' +
        'Absent: the drain time of Envoy, as the EnvoyProxy of the Gateway says, or 60.',
    ),
});

export type GatewaysConfig = z.infer<typeof config>;
