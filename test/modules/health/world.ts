import type { RunChange, RunStatus, RunView, Runs } from '../../../src/modules/runs/service.ts';

/** A run that is well; `status` may say otherwise. */
export function run(name: string, status: Partial<RunStatus> = {}, fields: Partial<RunView> = {}): RunView {
  return {
    key: `default/${name}`,
    id: `id-${name}`,
    uid: `uid-${name}`,
    runId: name,
    name,
    namespace: 'default',
    project: null,
    function: null,
    kind: null,
    source: 'slipway',
    user: null,
    labels: {},
    createdAt: 0,
    protocol: 'HTTP',
    spec: { image: null, command: [], args: [], replicas: 1, env: [] },
    status: {
      state: 'RUNNING',
      health: 'HEALTHY',
      message: null,
      reasons: [],
      replicas: { desired: 1, ready: 1, updated: 1, available: 1 },
      restarts: 0,
      since: 0,
      observedAt: 0,
      service: null,
      openInference: null,
      openAI: null,
      ...status,
    },
    pods: [],
    changesAt: null,
    objects: { workload: null, service: null, aliases: [], pods: [], slices: [], events: [] },
    ...fields,
  };
}

/** Runs that tests put and remove by hand: what the health module needs of the `runs` module. */
export function createFakeRuns() {
  const present = new Map<string, RunView>();
  const listeners = new Set<(change: RunChange) => void>();
  let revision = 0;
  const tell = (change: Omit<RunChange, 'revision'>) => {
    revision += 1;
    for (const listener of listeners) listener({ ...change, revision });
  };
  const runs: Pick<Runs, 'all' | 'get' | 'subscribe' | 'includes' | 'known'> = {
    known: () => Promise.resolve(),
    all: () => present.values(),
    get: (key) => present.get(key),
    includes: (scope, view) => scope.includes(view),
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  return {
    runs,
    listeners,
    put: (view: RunView): void => {
      const before = present.get(view.key);
      present.set(view.key, view);
      tell({ key: view.key, ...(before && { before }), after: view });
    },
    remove: (view: RunView): void => {
      present.delete(view.key);
      tell({ key: view.key, before: view });
    },
  };
}
