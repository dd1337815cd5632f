import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** By parts of their paths. On a fresh clone Vitest knows no durations and begins with large files, which is another matter. */
const longest = [
  'gateways/failures',
  'main-job/crash',
  'operations/rolling-restart',
  'commands/commands',
  'invoke/hostile-answers',
  'invoke/history',
  'invoke/safe',
  'gateways/closed',
  'faults/soak',
  'modules/subsets',
  'health/subscription',
  'auth/keys',
  'controllers/deployment',
  'gateways/update',
  'invoke/kill',
];

/** Nothing that takes long may begin when all else is done: then the other workers would have nothing to do. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const at = longest.findIndex((part) => moduleId.includes(part));
      return at < 0 ? longest.length : at;
    };
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b));
  }
}
