import type { Topic } from './suite.ts';
import { applying, conflicting } from './topics/applying.ts';
import { badRequests, creating, replacing } from './topics/crud.ts';
import { collecting, deleting, finalizing } from './topics/deleting.ts';
import { discovery } from './topics/discovery.ts';
import { dryRunning, fieldValidating } from './topics/options.ts';
import { paging } from './topics/paging.ts';
import { jsonPatching, mergePatching, strategicPatching } from './topics/patching.ts';
import { policing, routing } from './topics/policing.ts';
import { reviewing } from './topics/reviewing.ts';
import { selecting } from './topics/selecting.ts';
import { scaling, statuses } from './topics/subresources.ts';
import { tables } from './topics/tables.ts';
import { validating } from './topics/validating.ts';
import { watching } from './topics/watching.ts';

export const topics: readonly Topic[] = [
  discovery,
  creating,
  badRequests,
  replacing,
  selecting,
  paging,
  watching,
  jsonPatching,
  mergePatching,
  strategicPatching,
  applying,
  conflicting,
  statuses,
  scaling,
  deleting,
  finalizing,
  collecting,
  dryRunning,
  fieldValidating,
  validating,
  routing,
  policing,
  reviewing,
  tables,
];
