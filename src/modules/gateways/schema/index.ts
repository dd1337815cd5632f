import type { Builder } from '../../../schema/builder.ts';
import { addGatewayTypes } from './gateway-types.ts';
import { addMutations } from './mutations.ts';
import { addQueries } from './queries.ts';
import { addSecrets } from './secrets.ts';
import { addStream } from './stream.ts';
import { addTargetTypes } from './targets.ts';

/** The GraphQL surface of gateways. */
export function addGateways(builder: Builder): void {
  addGatewayTypes(builder);
  addTargetTypes(builder);
  addQueries(builder);
  addMutations(builder);
  addSecrets(builder);
  addStream(builder);
}
