import { X509Certificate } from 'node:crypto';
import { z } from 'zod';
import { isDatabaseUrl } from '../../database.ts';

const bytes = (value: number, description: string, max = 104_857_600) =>
  z.number().int().min(1).max(max).default(value).describe(description);
const millis = (value: number, description: string) =>
  z.number().int().min(1).max(86_400_000).default(value).describe(description);

const patterns = (description: string) =>
  z.array(z.string().refine(isPattern, 'must be a regular expression')).default([]).describe(description);

function isPattern(source: string): boolean {
  try {
    void new RegExp(source, 'gi');
    return true;
  } catch {
    return false; // a SyntaxError: that is the answer
  }
}

const certificate = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/** What is none is left out of the authorities without a word. */
function areCertificates(pem: string): boolean {
  try {
    return (pem.match(certificate) ?? []).map((each) => new X509Certificate(each)).length > 0;
  } catch {
    return false; // one of them can not be read
  }
}

/** The settings of the module; the README's table is generated from the descriptions. */
export const invokeConfig = z
  .strictObject({
    reach: z
      .enum(['auto', 'direct', 'apiserver'])
      .default('auto')
      .describe(
        'How services are reached: `direct` (Pod addresses), `apiserver` (the service proxy of the Kubernetes API), or `auto`: apiserver with a kubeconfig, else direct.',
      ),
    historyUrl: z
      .string()
      .refine((url) => url === 'off' || isDatabaseUrl(url), 'must be "off", "sqlite:<file>" or "postgres://…"')
      .default('sqlite:history.db')
      .describe(
        'Where the history of calls is kept: `sqlite:<file>` (in the data folder), `postgres://…` (for several replicas), or `off`.',
      ),
    historyDays: z.number().int().min(1).max(3650).default(30).describe('Days after which calls leave the history.'),
    historyPerCaller: z
      .number()
      .int()
      .min(1)
      .max(1_000_000)
      .default(10_000)
      .describe('How many calls of one caller are kept; the oldest leave first.'),
    historyRequestBytes: bytes(1_048_576, 'Bytes of a request body that are kept; a longer one is cut.'),
    historyResponseBytes: bytes(262_144, 'Bytes of a response body that are kept; a longer one is cut.'),
    redactNames: patterns('Regular expressions: headers and query values of these names are not kept in the clear.'),
    redactValues: patterns('Regular expressions: text that matches is not kept, in headers, URLs and bodies.'),
    maxRequestBytes: bytes(1_048_576, 'Largest request body in bytes.', 1_048_576),
    maxResponseBytes: bytes(1_048_576, 'Largest response body in bytes, after decompression; more is cut.'),
    tlsAuthorities: z
      .string()
      .refine(areCertificates, 'must be certificates in PEM')
      .optional()
      .describe(
        'Authorities, in PEM, that sign certificates of services (https): trusted besides those of the system.',
      ),
    connectTimeoutMs: millis(2000, 'Time to connect to a service.'),
    firstByteTimeoutMs: millis(10_000, 'Time from the connection to the first byte of the answer.'),
    timeoutMs: millis(30_000, 'Time for a whole call, unless the call says otherwise.'),
    maxTimeoutMs: millis(300_000, 'Largest `timeoutMs` of a call, which then replaces the two limits above it.'),
    streamIdleTimeoutMs: millis(30_000, 'Longest silence of a streamed answer.'),
    streamTimeoutMs: millis(600_000, 'Time for a whole streamed answer.'),
    streamMaxBytes: bytes(10_485_760, 'Largest streamed answer in bytes, after decompression.'),
    maxCallsPerCaller: z
      .number()
      .int()
      .min(1)
      .default(8)
      .describe('Calls of one caller at a time; the local user of the embedded cluster has no limit.'),
    maxCalls: z.number().int().min(1).default(128).describe('Calls of all callers at a time.'),
  })
  .prefault({});

export type InvokeConfig = z.infer<typeof invokeConfig>;
