import type { Topic } from './suite.ts';
import { applying } from './topics/applying.ts';
import { badRequests } from './topics/bad-requests.ts';
import { conflicting } from './topics/conflicting.ts';
import { creating } from './topics/creating.ts';
import { defaulting } from './topics/defaulting.ts';
import { collecting, deleting, finalizing } from './topics/deleting.ts';
import { discovery } from './topics/discovery.ts';
import { gatewaying } from './topics/gateways.ts';
import { keeping } from './topics/keeping.ts';
import { dryRunning, fieldValidating } from './topics/options.ts';
import { paging } from './topics/paging.ts';
import { jsonPatching, mergePatching, strategicPatching } from './topics/patching.ts';
import { policing } from './topics/policing.ts';
import { protobuf } from './topics/protobuf.ts';
import { replacing } from './topics/replacing.ts';
import { reviewing } from './topics/reviewing.ts';
import { routing } from './topics/routing.ts';
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
  keeping,
  defaulting,
  routing,
  policing,
  gatewaying,
  reviewing,
  protobuf,
  tables,
];
