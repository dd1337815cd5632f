import type { RunView } from '../runs/service.ts';
import type { Admits, Endpoints } from './endpoints.ts';
import { checkPath } from './path.ts';
import { type Target, type TargetInput, resolveTarget } from './target.ts';

/** Where calls of runs go, as the cluster's objects are now. */
export interface Targets {
  /** Throws a SlipwayError. */
  resolve(run: RunView, input: TargetInput): Target;
}

interface Resolved {
  /** Of the objects from which it was resolved. */
  revision: number;
  target: Target;
}

/** What a port of a run leads to is resolved anew only when an object has changed. */
export function createTargets(objects: Endpoints, admits: Admits): Targets {
  const known = new WeakMap<RunView, Map<number | null, Resolved>>();
  return {
    resolve(run, input) {
      if (input.url != null) return resolveTarget(run, input, objects, admits);
      const path = checkPath(input.path ?? '/');
      const port = input.port ?? null;
      const { revision } = objects;
      const ofRun = known.get(run) ?? new Map<number | null, Resolved>();
      const present = ofRun.get(port);
      if (present?.revision === revision) return { ...present.target, path };
      const target = resolveTarget(run, input, objects, admits);
      // Only ports that it has lead anywhere, so these are few.
      known.set(run, ofRun.set(port, { revision, target }));
      return target;
    },
  };
}
