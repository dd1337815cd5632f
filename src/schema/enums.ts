import { perBuilder } from './builder.ts';

/** Enums that several modules use: `Freshness(builder)` gives the builder's ref. */
export const Freshness = perBuilder((builder) =>
  builder.enumType('Freshness', {
    description: 'Whether what is shown is known to be current.',
    values: {
      FRESH: { description: 'Every watch is up.' },
      STALE: { description: 'Some watch has been down for 5 seconds: what is shown may be out of date.' },
    } as const,
  }),
);

export const HttpMethod = perBuilder((builder) =>
  builder.enumType('HttpMethod', {
    description: 'The HTTP methods of services that can be called.',
    values: {
      GET: { description: 'Read.' },
      POST: { description: 'Submit a body.' },
      PUT: { description: 'Replace.' },
      PATCH: { description: 'Change in part.' },
      DELETE: { description: 'Remove.' },
      HEAD: { description: 'Read status and headers only.' },
    } as const,
  }),
);

export const OrderDirection = perBuilder((builder) =>
  builder.enumType('OrderDirection', {
    description: 'The direction of an order.',
    values: { ASC: { description: 'Smallest first.' }, DESC: { description: 'Largest first.' } } as const,
  }),
);

export const ManifestFormat = perBuilder((builder) =>
  builder.enumType('ManifestFormat', {
    description: 'The text format of Kubernetes manifests.',
    values: {
      YAML: { description: 'Documents separated by `---`.' },
      JSON: { description: 'One v1 List.' },
    } as const,
  }),
);
