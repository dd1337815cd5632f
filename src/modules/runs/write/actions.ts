import { SlipwayError, invalid } from '../../../errors.ts';
import { toSlipwayError } from '../../../k8s/api-error.ts';
import { renderManifests } from '../../../k8s/manifests.ts';
import { type Deployment, type KubeObject, deployments, services } from '../../../k8s/resources.ts';
import type { Context } from '../../../module.ts';
import { obstacleTo } from '../obstacle.ts';
import type { RunView, ServiceRunAction } from '../service.ts';
import { view } from '../view.ts';
import { type Step, editDeployment, restart, resume, scale, stop } from './edit.ts';
import type { Fingerprint } from './idempotency.ts';
import type { ActionInput, OperationTools, RunOperations, Written } from './operations.ts';
import { preview } from './preview.ts';
import { isIdempotencyKey } from './syntax.ts';

interface Action {
  action: ServiceRunAction;
  step: Step;
  /** The input field that asks for it. @default id */
  field?: string;
}

/** The actions on existing runs. */
export function createActions(tools: OperationTools): Omit<RunOperations, 'run'> {
  const { maxReplicas } = tools;
  const keyed = (mutation: string, action: Action) => (input: ActionInput, context: Context) =>
    once(tools, mutation, input, context, (print, earlier) =>
      earlier ? again(tools, earlier) : perform(tools, action, input, context, print),
    );
  return {
    async scale(input, context) {
      const { replicas } = input;
      if (replicas < 0 || replicas > maxReplicas) {
        throw invalid('replicas', `"replicas" must be from 0 to ${maxReplicas}, not ${replicas}.`, 'OUT_OF_RANGE');
      }
      return perform(tools, { action: 'SCALE', step: scale(replicas), field: 'replicas' }, input, context, null);
    },
    stop: keyed('stopServiceRun', { action: 'STOP', step: stop }),
    resume: keyed('resumeServiceRun', { action: 'RESUME', step: resume }),
    restart: keyed('restartServiceRun', { action: 'RESTART', step: restart }),
    remove: (input, context) => once(tools, 'deleteServiceRun', input, context, () => remove(tools, input, context)),
  };
}

function once(
  { idempotency }: OperationTools,
  mutation: string,
  { id, dryRun, idempotencyKey: key }: ActionInput,
  context: Context,
  act: (print: Fingerprint | null, earlier?: Deployment) => Promise<Written>,
): Promise<Written> {
  if (key !== null && key !== undefined && !isIdempotencyKey(key)) {
    throw invalid('idempotencyKey', '"idempotencyKey" must have 8 to 128 printable characters.');
  }
  if (key === null || key === undefined || dryRun) return act(null);
  return idempotency.once(context, mutation, key, { id }, act);
}

/** Takes one step with a run: checks who may, and answers with the run as it is afterwards. */
async function perform(
  tools: OperationTools,
  { action, step, field = 'id' }: Action,
  input: ActionInput,
  context: Context,
  print: Fingerprint | null,
): Promise<Written> {
  const { runs, idempotency, clock } = tools;
  const run = await allowed(tools, action, input.id, context);
  const held = run.objects.workload;
  if (!held) {
    const message = `Run ${run.name} has no Deployment: delete it and run it again.`;
    throw new SlipwayError('NOT_READY', message, { field: 'id', reason: 'WORKLOAD_MISSING' });
  }
  const options = input.dryRun ? { dryRun: true } : {};
  const at = new Date(clock.now()).toISOString();
  const remembers = (workload: Deployment) => idempotency.annotate(workload, print);
  const place = { name: held.metadata.name, namespace: run.namespace };
  const written = await editDeployment(context, place, (workload) => {
    // Another replica did it, and this one has not seen that yet.
    if (print && idempotency.carries(workload, print)) return Promise.resolve(workload);
    return step({ context, workload, options, field, at, remembers });
  });
  const manifests = renderManifests([written], 'YAML');
  if (input.dryRun) return { run: preview(viewWith(tools, run, written)), manifests };
  return { run: (await runs.after(written, run.key)) ?? null, manifests };
}

/** An earlier call, perhaps on another replica, did it: the object it left its key on is the answer. */
async function again({ runs }: OperationTools, earlier: Deployment): Promise<Written> {
  const run = [...runs.all()].find((candidate) => candidate.objects.workload?.metadata.uid === earlier.metadata.uid);
  return { run: run ?? null, manifests: renderManifests([earlier], 'YAML') };
}

/** The run, if the caller may see and change it, and this is safe on it. */
async function allowed(
  { runs }: OperationTools,
  action: ServiceRunAction,
  id: string,
  context: Context,
): Promise<RunView> {
  const run = await runs.visible(id, context.access, 'id');
  if (!(await context.access.allows('act', run))) {
    throw new SlipwayError('FORBIDDEN', `You may see run ${run.name} but not change it.`, { field: 'id' });
  }
  const obstacle = obstacleTo(action, run);
  if (!obstacle) return run;
  throw new SlipwayError('NOT_SUPPORTED', obstacle.message, { field: 'id', reason: obstacle.reason });
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
  const run = await allowed(tools, 'DELETE', input.id, context);
  const { workload, service, aliases } = run.objects;
  const owned = [service, ...aliases].filter((object) => object !== null);
  const objects: KubeObject[] = [...(workload ? [workload] : []), ...owned];
  const manifests = renderManifests(objects, 'YAML');
  for (const object of objects) await drop(object, input, context);
  if (input.dryRun) return { run: null, manifests };
  await Promise.all(objects.map((object) => tools.runs.after(object, run.key, { deleted: true })));
  return { run: null, manifests };
}

async function drop(object: KubeObject, { dryRun }: ActionInput, context: Context): Promise<void> {
  const { name, namespace, uid } = object.metadata;
  try {
    await context.kube.delete<KubeObject>(object.kind === 'Service' ? services : deployments, name, namespace, {
      propagationPolicy: 'Background',
      ...(uid !== undefined && { preconditions: { uid } }),
      ...(dryRun && { dryRun: true }),
    });
  } catch (error) {
    // The cluster may have collected a Service with its owner already.
    const failure = toSlipwayError(error, { name: `${object.kind} ${name}`, field: 'id' });
    if (failure.code !== 'NOT_FOUND') throw failure;
  }
}
