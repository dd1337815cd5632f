import { SlipwayError } from '../../../errors.ts';
import { ApiError, toSlipwayError } from '../../../k8s/api-error.ts';
import type { WriteOptions } from '../../../k8s/cluster.ts';
import { type Deployment, type KubeObject, deployments } from '../../../k8s/resources.ts';
import type { Context } from '../../../module.ts';
import { replicasAnnotation, stoppedAtAnnotation } from '../labels.ts';
import { checkOwner } from './ownership.ts';

const restartedAtAnnotation = 'kubectl.kubernetes.io/restartedAt';
const replicasPath = ['spec', 'replicas'];

/** A Deployment fresh from the cluster, to be changed as the caller. */
export interface Edit {
  context: Context;
  workload: Deployment;
  options: WriteOptions;
  /** The input field that asks for this. */
  field: string;
  /** When it was asked for: the same in every attempt, so that what is written already is not written again. */
  at: string;
  /** Annotations that remember the idempotency key on the object. */
  remembers: (workload: Deployment) => Record<string, string>;
}

/** One change of a Deployment: resolves with the Deployment as it is then. */
export type Step = (edit: Edit) => Promise<Deployment>;

const mostAttempts = 10;

/**
 * Runs a step on the Deployment as it is now. Every write names the version it is based on, so nothing is overwritten
 * unseen; when somebody else was faster, be it with a status, the step begins again with what they left.
 */
export async function editDeployment(
  context: Context,
  { name, namespace }: { name: string; namespace: string },
  run: (workload: Deployment) => Promise<Deployment>,
): Promise<Deployment> {
  for (let attempt = 1; ; attempt++) {
    const workload = await context.kube.get(deployments, name, namespace);
    if (workload.metadata.deletionTimestamp !== undefined) {
      throw new SlipwayError('CONFLICT', `Deployment ${name} is being deleted.`, { field: 'id', reason: 'DELETING' });
    }
    try {
      return await run(workload);
    } catch (error) {
      const outrun = error instanceof ApiError && error.status === 409 && error.reason === 'Conflict';
      if (!outrun || attempt === mostAttempts) throw toSlipwayError(error, { name: `Deployment ${name}`, field: 'id' });
    }
  }
}

/** Writes annotations that are not as wanted; a null removes one. */
async function annotate(edit: Edit, wanted: Record<string, string | null>): Promise<Deployment> {
  const { context, workload, options } = edit;
  const { name, namespace, annotations: present = {} } = workload.metadata;
  const all = { ...wanted, ...edit.remembers(workload) };
  const changes = Object.entries(all).filter(([key, value]) => value !== (present[key] ?? null));
  if (changes.length === 0) return workload;
  const metadata = { annotations: Object.fromEntries(changes), ...versionOf(workload) };
  return context.kube.patch(deployments, name, namespace, { metadata }, options);
}

async function scaleTo({ context, workload, options, field }: Edit, replicas: number): Promise<Deployment> {
  if ((workload.spec.replicas ?? 1) === replicas) return workload;
  checkOwner(workload, replicasPath, field);
  const { name, namespace } = workload.metadata;
  const scale = await context.kube.patch<KubeObject>(
    deployments,
    name,
    namespace,
    { metadata: versionOf(workload), spec: { replicas } },
    { ...options, subresource: 'scale' },
  );
  const metadata = { ...workload.metadata, ...versionOf(scale) };
  return { ...workload, metadata, spec: { ...workload.spec, replicas } };
}

function versionOf({ metadata: { resourceVersion } }: KubeObject): { resourceVersion?: string } {
  return resourceVersion === undefined ? {} : { resourceVersion };
}

/** Scales to zero, with the number of replicas kept for `resume`. */
export const stop: Step = async (edit) => {
  const replicas = edit.workload.spec.replicas ?? 1;
  if (replicas === 0) return annotate(edit, {});
  checkOwner(edit.workload, replicasPath, edit.field);
  // The number is kept first, and the key last: what fails half-way can be resumed or asked for again.
  const workload = await annotate(
    { ...edit, remembers: () => ({}) },
    {
      [replicasAnnotation]: String(replicas),
      [stoppedAtAnnotation]: edit.at,
    },
  );
  return annotate({ ...edit, workload: await scaleTo({ ...edit, workload }, 0) }, {});
};

/** A run with replicas is not stopped. */
const notStopped = { [replicasAnnotation]: null, [stoppedAtAnnotation]: null };

export const scale =
  (replicas: number): Step =>
  async (edit) => {
    if (replicas === 0) return stop(edit);
    const workload = await scaleTo(edit, replicas);
    return annotate({ ...edit, workload }, notStopped);
  };

export const resume: Step = (edit) => {
  const { workload } = edit;
  if ((workload.spec.replicas ?? 1) > 0) return annotate(edit, notStopped);
  const kept = Number(workload.metadata.annotations?.[replicasAnnotation] ?? 1);
  return scale(Number.isInteger(kept) && kept > 0 ? kept : 1)(edit);
};

/** Changes the Pod template, as `kubectl rollout restart` does: the Deployment replaces its Pods a few at a time. */
export const restart: Step = ({ context, workload, options, field, at, remembers }) => {
  const { name, namespace } = workload.metadata;
  if ((workload.spec.replicas ?? 1) === 0) throw notReady(name, 'is stopped: resume it instead', 'STOPPED');
  if (workload.spec.paused) throw notReady(name, 'has its rollout paused: resume that first', 'PAUSED');
  checkOwner(workload, ['spec', 'template', 'metadata', 'annotations', restartedAtAnnotation], field);
  const patch = {
    metadata: { annotations: remembers(workload), ...versionOf(workload) },
    spec: { template: { metadata: { annotations: { [restartedAtAnnotation]: at } } } },
  };
  return context.kube.patch(deployments, name, namespace, patch, options);
};

function notReady(name: string, why: string, reason: string): SlipwayError {
  return new SlipwayError('NOT_READY', `Deployment ${name} ${why}.`, { field: 'id', reason });
}
