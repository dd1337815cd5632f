import { topics } from './conformance/index.ts';
import { runTopics } from './conformance/suite.ts';
import { realTarget } from './target.ts';

/** The cases that the embedded API passes in the default suite. */
runTopics(topics, () => Promise.resolve(realTarget()));
