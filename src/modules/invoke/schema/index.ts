import type { Builder } from '../../../schema/builder.ts';
import { addMutations } from './mutations.ts';
import { addQueries } from './queries.ts';
import { addStream } from './stream.ts';
import { addInvocationTypes } from './types.ts';

/** The GraphQL surface of calls and their history. */
export function addInvoke(builder: Builder): void {
  addInvocationTypes(builder);
  addQueries(builder);
  addMutations(builder);
  addStream(builder);
}
