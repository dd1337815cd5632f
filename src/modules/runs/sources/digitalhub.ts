import { managedByLabel } from '../labels.ts';
import type { RunIdentity, RunSource, ServiceProtocol } from '../service.ts';

const partOfLabel = 'app.kubernetes.io/part-of';
const versionLabel = 'app.kubernetes.io/version';

/** Where one object's labels have their prefix and application name: they moved from release to release. */
interface Generation {
  /** Of project, runtime, run and user. */
  prefix: string;
  application: string;
}

/**
 * Recognises a serve run by a key ending in `/framework` with the value `k8sserve` under one of the three prefixes:
 * `<app>/` (0.11 to 0.13), `dhcore.<app>/` (0.14), `dhcore/` (0.15).
 */
function generationOf(labels: Readonly<Record<string, string>>): Generation | null {
  const managedBy = labels[managedByLabel];
  for (const [key, value] of Object.entries(labels)) {
    if (value !== 'k8sserve' || !key.endsWith('/framework')) continue;
    const prefix = key.slice(0, -'/framework'.length);
    if (prefix === 'dhcore') return { prefix, application: labels[partOfLabel] ?? prefix };
    if (prefix.startsWith('dhcore.')) return { prefix, application: prefix.slice('dhcore.'.length) };
    if (prefix === managedBy) return { prefix, application: prefix };
  }
  return null;
}

/** What the platform serves by runtime; any other runtime speaks plain HTTP. */
function protocolOf(runtime: string): ServiceProtocol {
  if (['mlflowserve', 'sklearnserve', 'huggingfaceserve', 'openinference'].includes(runtime)) return 'OPEN_INFERENCE';
  return /^(vllmserve|kubeai)/.test(runtime) ? 'OPENAI' : 'HTTP';
}

/** KubeAI's words, by the runtime's last part. */
function featuresOf(runtime: string): string[] {
  if (runtime.endsWith('pooling')) return ['TextEmbedding', 'Reranking'];
  if (runtime.endsWith('speech')) return ['SpeechToText'];
  return ['TextGeneration'];
}

/** Runs of the DigitalHub platform, of every release that can still be found in clusters. */
export const digitalhubSource: RunSource = {
  name: 'digitalhub',
  identify(object) {
    const labels = object.metadata.labels ?? {};
    const generation = generationOf(labels);
    if (!generation) return null;
    const { prefix, application } = generation;
    const runId = labels[`${prefix}/run`] ?? labels[versionLabel];
    if (!runId) return null;
    const runtime = labels[`${prefix}/runtime`] ?? null;
    const protocol = runtime === null ? 'HTTP' : protocolOf(runtime);
    return {
      runId,
      project: labels[`${prefix}/project`] ?? null,
      function: labels[`${application}/function`] ?? labels[`${prefix}/function`] ?? null,
      kind: runtime === null ? null : kindOf(runtime),
      // The platform writes an empty value where it knows no user.
      user: labels[`${prefix}/user`] || null,
      protocol,
      model: null,
      ...(protocol === 'OPENAI' &&
        runtime !== null && { engine: runtime.split(/serve|-/)[0] || null, features: featuresOf(runtime) }),
      ...(object.kind === 'Service' && {
        primary: object.metadata.name.startsWith('s-') && object.metadata.name.endsWith(`-${runId}`),
      }),
    } satisfies RunIdentity;
  },
};

/** The platform's task kind; runtimes that only serve go by their own name. */
function kindOf(runtime: string): string {
  return /serve(-|$)/.test(runtime) ? runtime : `${runtime}+serve`;
}
