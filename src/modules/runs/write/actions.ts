import { SlipwayError, invalid } from '../../../errors.ts';
import { renderManifests } from '../../../k8s/manifests.ts';
import type { Deployment } from '../../../k8s/resources.ts';
import type { Context } from '../../../module.ts';
import type { RunView, ServiceRunAction } from '../service.ts';
import { view } from '../view.ts';
import { type Step, editDeployment, restart, resume, scale, stop } from './edit.ts';
import type { Fingerprint } from './idempotency.ts';
import type { ActionInput, OperationTools, RunOperations, Written } from './operations.ts';
import { allowed, authorize, changeable } from './permission.ts';
import { preview } from './preview.ts';
import { remove, removeOnce } from './removal.ts';
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
  const keyed = (mutation: string, action: Action) => async (input: ActionInput, context: Context) => {
    if (!isKeyed(input)) return perform(tools, action, input, context, null);
    const run = await changeable(tools.runs, input.id, context);
    return once(tools, mutation, input, context, async (print, earlier) =>
      earlier ? { run, manifests: renderManifests([earlier], 'YAML') } : perform(tools, action, input, context, print),
    );
  };
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
    async remove(input, context) {
      if (!isKeyed(input)) return remove(tools, input, context);
      const act = (print: Fingerprint) => removeOnce(tools, input, context, print);
      const { place, manifests } = await once(tools, 'deleteServiceRun', input, context, act);
      // What was done is told to nobody who may not do it any more.
      await authorize(place, context);
      return { run: null, manifests };
    },
  };
}

/** Whether a request may come again; INVALID when its key can't be one. */
function isKeyed({ dryRun, idempotencyKey: key }: ActionInput): boolean {
  if (key === null || key === undefined) return false;
  if (isIdempotencyKey(key)) return !dryRun;
  throw invalid('idempotencyKey', '"idempotencyKey" must have 8 to 128 printable characters.');
}

function once<T>(
  { idempotency }: OperationTools,
  mutation: string,
  { id, idempotencyKey }: ActionInput,
  context: Context,
  act: (print: Fingerprint, earlier?: Deployment) => Promise<T>,
): Promise<T> {
  return idempotency.once(context, mutation, idempotencyKey ?? '', { id }, act);
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
  const run = await allowed(runs, action, input.id, context);
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

function viewWith({ clock, settings }: OperationTools, run: RunView, workload: Deployment): RunView {
  const { runId, name, project, function: fn, kind, user, protocol, source, status } = run;
  const model = status.openAI?.model ?? status.openInference?.model ?? null;
  const { engine = null, features } = status.openAI ?? {};
  const identity = { runId, name, project, function: fn, kind, user, protocol, source, model, engine };
  return view({ ...run.objects, workload }, { ...identity, ...(features && { features }) }, clock.now(), settings);
}
