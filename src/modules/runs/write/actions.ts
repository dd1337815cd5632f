import { SlipwayError, invalid } from '../../../errors.ts';
import { toSlipwayError } from '../../../k8s/api-error.ts';
import type { WriteOptions } from '../../../k8s/cluster.ts';
import { renderManifests } from '../../../k8s/manifests.ts';
import { type Deployment, type KubeObject, deployments, services } from '../../../k8s/resources.ts';
import type { Context } from '../../../module.ts';
import { replicasAnnotation, stoppedAtAnnotation } from '../labels.ts';
import type { RunView } from '../service.ts';
import { view } from '../view.ts';
import type { Fingerprint } from './idempotency.ts';
import type { ActionInput, OperationTools, RunOperations, Written } from './operations.ts';
import { preview } from './preview.ts';
import { isIdempotencyKey } from './syntax.ts';

const restartedAtAnnotation = 'kubectl.kubernetes.io/restartedAt';

/** A run that the caller may act on, with its Deployment fresh from the cluster. */
interface Target {
  context: Context;
  run: RunView;
  workload: Deployment;
  options: WriteOptions;
  print: Fingerprint | null;
}

type Step = (target: Target) => Promise<Deployment>;

/** The actions on existing runs. */
export function createActions(tools: OperationTools): Omit<RunOperations, 'run'> {
  const { idempotency, clock, maxReplicas } = tools;

  const annotate = (target: Target, annotations: Record<string, string | null>): Promise<Deployment> => {
    const { context, workload, options, print } = target;
    const remembered = { ...annotations, ...idempotency.annotate(workload, print) };
    const present = workload.metadata.annotations ?? {};
    // A null only removes what is there.
    const changes = Object.entries(remembered).filter(([key, value]) => value !== (present[key] ?? null));
    if (changes.length === 0) return Promise.resolve(workload);
    const patch = { metadata: { annotations: Object.fromEntries(changes) } };
    return context.kube.patch(deployments, workload.metadata.name, workload.metadata.namespace, patch, options);
  };
  const scaleTo = async ({ context, workload, options }: Target, replicas: number): Promise<Deployment> => {
    if ((workload.spec.replicas ?? 1) === replicas) return workload;
    const { name, namespace } = workload.metadata;
    const scale = await context.kube.patch<KubeObject>(
      deployments,
      name,
      namespace,
      { spec: { replicas } },
      { ...options, subresource: 'scale' },
    );
    const resourceVersion = scale.metadata.resourceVersion;
    return {
      ...workload,
      metadata: { ...workload.metadata, ...(resourceVersion !== undefined && { resourceVersion }) },
      spec: { ...workload.spec, replicas },
    };
  };

  const stop: Step = async (target) => {
    const replicas = target.workload.spec.replicas ?? 1;
    if (replicas === 0) return annotate(target, {});
    // The number is kept first: without it a failure half-way could not be resumed.
    const workload = await annotate(
      { ...target, print: null },
      {
        [replicasAnnotation]: String(replicas),
        [stoppedAtAnnotation]: new Date(clock.now()).toISOString(),
      },
    );
    return annotate({ ...target, workload: await scaleTo({ ...target, workload }, 0) }, {});
  };
  const start = async (target: Target, replicas: number): Promise<Deployment> => {
    const workload = await scaleTo(target, replicas);
    return annotate({ ...target, workload }, { [replicasAnnotation]: null, [stoppedAtAnnotation]: null });
  };
  const resume: Step = (target) => {
    const { workload } = target;
    if ((workload.spec.replicas ?? 1) > 0) return annotate(target, {});
    const kept = Number(workload.metadata.annotations?.[replicasAnnotation] ?? 1);
    return start(target, Number.isInteger(kept) && kept > 0 ? kept : 1);
  };
  const restart: Step = ({ context, workload, options, print }) => {
    const { name, namespace } = workload.metadata;
    if ((workload.spec.replicas ?? 1) === 0) throw notReady(name, 'is stopped: resume it instead', 'STOPPED');
    if (workload.spec.paused) throw notReady(name, 'has its rollout paused: resume that first', 'PAUSED');
    const restartedAt = new Date(clock.now()).toISOString();
    const patch = {
      metadata: { annotations: idempotency.annotate(workload, print) },
      spec: { template: { metadata: { annotations: { [restartedAtAnnotation]: restartedAt } } } },
    };
    return context.kube.patch(deployments, name, namespace, patch, options);
  };

  /** Runs a step on a run: checks who may, and answers with the run as it is afterwards. */
  const perform = async (input: ActionInput, context: Context, step: Step, print: Fingerprint | null) => {
    const { run, workload } = await targetOf(tools, input.id, context);
    const options = input.dryRun ? { dryRun: true } : {};
    try {
      const written = await step({ context, run, workload, options, print });
      const manifests = renderManifests([written], 'YAML');
      if (input.dryRun) return { run: preview(viewWith(tools, run, written)), manifests };
      return { run: (await tools.runs.after(written, run.key)) ?? null, manifests };
    } catch (error) {
      throw toSlipwayError(error, { name: `run ${run.name}` });
    }
  };
  const action = (mutation: string, step: Step) => (input: ActionInput, context: Context) =>
    once(tools, mutation, input, context, (print, earlier) =>
      earlier ? again(tools, earlier) : perform(input, context, step, print),
    );

  return {
    async scale(input, context) {
      const { replicas } = input;
      if (replicas < 0 || replicas > maxReplicas) {
        throw invalid('replicas', `"replicas" must be from 0 to ${maxReplicas}, not ${replicas}.`, 'OUT_OF_RANGE');
      }
      return perform(input, context, (target) => (replicas === 0 ? stop(target) : start(target, replicas)), null);
    },
    stop: action('stopServiceRun', stop),
    resume: action('resumeServiceRun', resume),
    restart: action('restartServiceRun', restart),
    remove: (input, context) => once(tools, 'deleteServiceRun', input, context, () => remove(tools, input, context)),
  };
}

function once(
  { idempotency }: OperationTools,
  mutation: string,
  { id, dryRun, idempotencyKey: key }: ActionInput,
  context: Context,
  perform: (print: Fingerprint | null, earlier?: Deployment) => Promise<Written>,
): Promise<Written> {
  if (key === null || key === undefined || dryRun) return perform(null);
  if (!isIdempotencyKey(key)) {
    throw invalid('idempotencyKey', '"idempotencyKey" must have 8 to 128 printable characters.');
  }
  return idempotency.once(context, mutation, key, { id }, perform);
}

/** An earlier call, perhaps on another replica, did it: the object it left its key on is the answer. */
async function again({ runs }: OperationTools, earlier: Deployment): Promise<Written> {
  const run = [...runs.all()].find((candidate) => candidate.objects.workload?.metadata.uid === earlier.metadata.uid);
  return { run: run ?? null, manifests: renderManifests([earlier], 'YAML') };
}

function notReady(name: string, why: string, reason: string): SlipwayError {
  return new SlipwayError('NOT_READY', `Deployment ${name} ${why}.`, { field: 'id', reason });
}

/** The run, if the caller may see and change it. */
async function allowed({ runs }: OperationTools, id: string, context: Context): Promise<RunView> {
  const run = await runs.visible(id, context.access, 'id');
  if (await context.access.allows('act', run)) return run;
  throw new SlipwayError('FORBIDDEN', `You may see run ${run.name} but not change it.`, { field: 'id' });
}

async function targetOf(tools: OperationTools, id: string, context: Context) {
  const run = await allowed(tools, id, context);
  const held = run.objects.workload;
  if (!held) {
    const message = `Run ${run.name} has no Deployment: delete it and run it again.`;
    throw new SlipwayError('NOT_READY', message, { field: 'id', reason: 'WORKLOAD_MISSING' });
  }
  try {
    const workload = await context.kube.get(deployments, held.metadata.name, run.namespace);
    if (workload.metadata.deletionTimestamp === undefined) return { run, workload };
  } catch (error) {
    throw toSlipwayError(error, { name: `run ${run.name}`, field: 'id' });
  }
  throw new SlipwayError('CONFLICT', `Run ${run.name} is being deleted.`, { field: 'id', reason: 'DELETING' });
}

function viewWith({ clock, settings }: OperationTools, run: RunView, workload: Deployment): RunView {
  const { runId, name, project, function: fn, kind, user, protocol, source, status } = run;
  const model = status.openAI?.model ?? status.openInference?.model ?? null;
  const { engine = null, features } = status.openAI ?? {};
  const identity = { runId, name, project, function: fn, kind, user, protocol, source, model, engine };
  return view({ ...run.objects, workload }, { ...identity, ...(features && { features }) }, clock.now(), settings);
}

/** Removes the Deployment, then the Services that carry the run's labels. */
async function remove(tools: OperationTools, input: ActionInput, context: Context): Promise<Written> {
  const run = await allowed(tools, input.id, context);
  const { workload, service, aliases } = run.objects;
  const owned = [service, ...aliases].filter((object) => object !== null);
  const objects: KubeObject[] = [...(workload ? [workload] : []), ...owned];
  const manifests = renderManifests(objects, 'YAML');
  const drop = (object: KubeObject): Promise<unknown> => {
    const { name, namespace, uid } = object.metadata;
    return context.kube
      .delete<KubeObject>(object.kind === 'Service' ? services : deployments, name, namespace, {
        propagationPolicy: 'Background',
        ...(uid !== undefined && { preconditions: { uid } }),
        ...(input.dryRun && { dryRun: true }),
      })
      .catch((error: unknown) => {
        // The cluster may have collected a Service with its owner already.
        const failure = toSlipwayError(error, { name: `${object.kind} ${name}`, field: 'id' });
        if (failure.code !== 'NOT_FOUND') throw failure;
      });
  };
  for (const object of objects) await drop(object);
  if (input.dryRun) return { run: null, manifests };
  await Promise.all(objects.map((object) => tools.runs.after(object, run.key, { deleted: true })));
  return { run: null, manifests };
}
