import type { Builder } from '../../../schema/builder.ts';
import { addDetails } from './details.ts';
import { addLogStream } from './logs.ts';
import { addMutations } from './mutations.ts';
import { addQueries } from './queries.ts';
import { addRunTypes } from './run-types.ts';
import { addStatusTypes } from './status-types.ts';

/** The GraphQL surface of runs. */
export function addRuns(builder: Builder): void {
  addRunTypes(builder);
  addStatusTypes(builder);
  addDetails(builder);
  addQueries(builder);
  addMutations(builder);
  addLogStream(builder);
}
