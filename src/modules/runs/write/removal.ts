import { SlipwayError } from '../../../errors.ts';
import { ApiError, toSlipwayError } from '../../../k8s/api-error.ts';
import { renderManifests } from '../../../k8s/manifests.ts';
import { type KubeObject, type Resource, deployments, services } from '../../../k8s/resources.ts';
import type { Context } from '../../../module.ts';
import { runLabel } from '../labels.ts';
import { noSuchRun } from '../runs.ts';
import type { RunView } from '../service.ts';
import type { DeletedObject, Deletion } from './deletions.ts';
import type { Fingerprint } from './idempotency.ts';
import type { ActionInput, OperationTools, Written } from './operations.ts';
import { allowed, authorize } from './permission.ts';

/** Removes the Deployment, then the Services that carry the run's labels. */
export async function remove(tools: OperationTools, input: ActionInput, context: Context): Promise<Written> {
  const run = await allowed(tools.runs, 'DELETE', input.id, context);
  const objects = objectsOf(run);
  const manifests = renderManifests(objects, 'YAML');
  await drop(tools, run, objects, input, context);
  return { run: null, manifests };
}

/**
 * The same for a request that may come again: what is deleted is written down before, so that another replica carries the
 * same to its end, and nothing that was made since.
 */
export async function removeOnce(
  tools: OperationTools,
  input: ActionInput,
  context: Context,
  print: Fingerprint,
): Promise<Deletion> {
  const { runs, deletions } = tools;
  const seen = deletions.seen(print);
  const run = await allowed(runs, 'DELETE', input.id, context).catch(orAbsent);
  if (!run) {
    const deletion = seen ?? (await deletions.find(print, input.id, context));
    if (!deletion) throw noSuchRun('id');
    await authorize(deletion.place, context);
    await finish(deletion, context);
    return deletion;
  }
  const objects = objectsOf(run);
  const what = { objects: objects.map(nameOf), manifests: renderManifests(objects, 'YAML') };
  const deletion = seen ?? (await deletions.record(print, run, what, context));
  const uids = new Set(deletion.objects.map(({ uid }) => uid));
  const own = objects.filter((object) => uids.has(nameOf(object).uid));
  await drop(tools, run, own, input, context);
  return deletion;
}

const nameOf = ({ kind, metadata: { name, uid = '' } }: KubeObject): DeletedObject => ({ kind, name, uid });

/** Removes what a call that died has left of a run that this server does not know. */
async function finish({ place, runId, objects }: Deletion, context: Context): Promise<void> {
  for (const { kind, name, uid } of objects) {
    const object = await context.kube.get<KubeObject>(resourceOf(kind), name, place.namespace).catch((error) => {
      if (isGone(error)) return null;
      throw toSlipwayError(error, { name: `${kind} ${name}`, field: 'id' });
    });
    // What stands on the record others may have written.
    if (object?.metadata.uid !== uid || object.metadata.labels?.[runLabel] !== runId) continue;
    await dropOne(object, false, context);
  }
}

function orAbsent(error: unknown): null {
  if (error instanceof SlipwayError && error.code === 'NOT_FOUND') return null;
  throw error;
}

function objectsOf({ objects: { workload, service, aliases } }: RunView): KubeObject[] {
  return [workload, service, ...aliases].filter((object) => object !== null);
}

async function drop(
  { runs }: OperationTools,
  run: RunView,
  objects: readonly KubeObject[],
  { dryRun }: ActionInput,
  context: Context,
): Promise<void> {
  for (const object of objects) await dropOne(object, dryRun === true, context);
  if (dryRun) return;
  await Promise.all(objects.map((object) => runs.after(object, run.key, { deleted: true })));
}

const resourceOf = (kind: string): Resource => (kind === services.kind ? services : deployments);

async function dropOne(object: KubeObject, dryRun: boolean, context: Context): Promise<void> {
  const { name, namespace, uid } = object.metadata;
  try {
    await context.kube.delete<KubeObject>(resourceOf(object.kind), name, namespace, {
      propagationPolicy: 'Background',
      ...(uid !== undefined && { preconditions: { uid } }),
      ...(dryRun && { dryRun }),
    });
  } catch (error) {
    if (!isGone(error)) throw toSlipwayError(error, { name: `${object.kind} ${name}`, field: 'id' });
  }
}

/** The cluster may have collected a Service with its owner already, and another object may have taken the name since. */
function isGone(error: unknown): boolean {
  return error instanceof ApiError && (error.status === 404 || (error.status === 409 && error.reason === 'Conflict'));
}
