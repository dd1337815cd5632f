import { perBuilder } from '../../../schema/builder.ts';

export const GatewayAuthKind = perBuilder((builder) =>
  builder.enumType('GatewayAuthKind', {
    description: 'How callers of a gateway show who they are.',
    values: {
      NONE: { description: 'Not at all: everybody who reaches the hostname may call.' },
      BASIC: { description: 'By user name and password.' },
      API_KEY: { description: 'By a key in a header.' },
      JWT: { description: 'By a signed token of an issuer.' },
      OTHER: { description: 'By a policy that Slipway does not model. Not for input.' },
      UNKNOWN: { description: 'By a policy that can not be read. Not for input.' },
    } as const,
  }),
);

export const GatewayPhase = perBuilder((builder) =>
  builder.enumType('GatewayPhase', {
    description: 'Whether a gateway works. The worst that holds is shown, UNPROTECTED before all else.',
    values: {
      READY: { description: 'Route, parent and policy all say so, for what is wanted now.' },
      PROGRESSING: { description: 'Something has not been taken over yet.' },
      REJECTED: { description: 'The route, its parent or its policy is refused: requests fail.' },
      UNPROTECTED: { description: 'Protection is wanted, but none is in force: requests may pass without it.' },
      UNCLAIMED: { description: 'No controller has taken the route: nothing serves it.' },
      DELETING: { description: 'It is being deleted.' },
    } as const,
  }),
);
