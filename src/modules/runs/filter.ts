import { matchesSelector, parseLabelSelector } from '../../k8s/selectors.ts';
import type { RunFilter, RunView } from './service.ts';

type Test = (run: RunView) => boolean;

/** Compiles a filter once, so that each run costs only the tests it needs. */
export function createMatcher(filter: RunFilter | null | undefined, field: string): Test {
  if (!filter) return () => true;
  const tests: Test[] = [];
  const oneOf = (values: readonly string[] | null | undefined, read: (run: RunView) => string | null) => {
    if (!values) return;
    const wanted = new Set(values);
    tests.push((run) => {
      const value = read(run);
      return value !== null && wanted.has(value);
    });
  };
  oneOf(filter.namespace, (run) => run.namespace);
  oneOf(filter.project, (run) => run.project);
  oneOf(filter.function, (run) => run.function);
  oneOf(filter.kind, (run) => run.kind);
  oneOf(filter.source, (run) => run.source);
  oneOf(filter.state, (run) => run.status.state);
  oneOf(filter.health, (run) => run.status.health);
  if (filter.active !== null && filter.active !== undefined) {
    tests.push((run) => (run.status.service !== null) === filter.active);
  }
  if (filter.labelSelector) {
    const selector = parseLabelSelector(filter.labelSelector, `${field}.labelSelector`);
    tests.push((run) => matchesSelector(selector, run.labels));
  }
  const words = filter.search?.toLowerCase().split(/\s+/).filter(Boolean) ?? [];
  if (words.length > 0) {
    tests.push((run) => {
      const text = searchText(run);
      const id = run.id.toLowerCase();
      return words.every((word) => text.includes(word) || word === id);
    });
  }
  return (run) => tests.every((test) => test(run));
}

/** What a search looks at: every word must occur somewhere in it. */
function searchText(run: RunView): string {
  const { name, runId, namespace, project, function: fn, kind, user, spec, status } = run;
  return [name, runId, namespace, project, fn, kind, user, spec.image, status.message]
    .filter((part) => part !== null)
    .join('\n')
    .toLowerCase();
}
