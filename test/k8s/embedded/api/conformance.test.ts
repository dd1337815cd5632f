import { topics } from '../../../cluster/conformance/index.ts';
import { runTopics } from '../../../cluster/conformance/suite.ts';
import { createWorld } from './world.ts';

/** The cases that also run on a real API server, by `npm run test:cluster`. */
runTopics(topics, async () => {
  const world = await createWorld();
  return { url: world.server.url, close: () => world[Symbol.asyncDispose]() };
});
