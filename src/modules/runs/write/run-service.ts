import { randomUUID } from 'node:crypto';
import { SlipwayError } from '../../../errors.ts';
import { ApiError, toSlipwayError } from '../../../k8s/api-error.ts';
import { renderManifests } from '../../../k8s/manifests.ts';
import { type Deployment, type Service, deployments, services } from '../../../k8s/resources.ts';
import type { Context } from '../../../module.ts';
import { runLabel, userAnnotation } from '../labels.ts';
import type { RunObjects, RunView } from '../service.ts';
import { slipwaySource } from '../sources/slipway.ts';
import { runKey, view } from '../view.ts';
import type { Fingerprint } from './idempotency.ts';
import { deploymentOf, serviceOf } from './objects.ts';
import type { OperationTools, RunOperations, Written } from './operations.ts';
import { preview } from './preview.ts';
import { type RunRequest, type RunServiceInput, checkRequest } from './request.ts';

/** Starts a service: its Deployment, then its Service; neither stays when the second fails. */
export function createRunService(tools: OperationTools): RunOperations['run'] {
  const { cluster, idempotency, maxReplicas } = tools;
  return async (input, context) => {
    const request = checkRequest(input, {
      namespace: cluster.namespace,
      watchedNamespaces: cluster.watchedNamespaces,
      maxReplicas,
      embedded: cluster.mode === 'EMBEDDED',
    });
    await authorize(request, context);
    if (input.dryRun) return rehearse(tools, request, context);
    if (!input.idempotencyKey) return create(tools, request, context, null);
    return idempotency.once(context, 'runService', input.idempotencyKey, meaning(input), (print, earlier) =>
      earlier ? first(tools, request, earlier, context) : create(tools, request, context, print),
    );
  };
}

/** What the input means: the key itself and a false dryRun say nothing. */
function meaning(input: RunServiceInput): unknown {
  const { idempotencyKey: _, dryRun: __, ...rest } = input;
  return rest;
}

async function authorize({ namespace, project }: RunRequest, { access }: Context): Promise<void> {
  const place = { namespace, project };
  if (!(await access.allows('see', place))) {
    throw new SlipwayError('NOT_FOUND', `There is no namespace ${namespace}, or you may not see it.`, {
      field: 'namespace',
    });
  }
  if (await access.allows('act', place)) return;
  throw new SlipwayError('FORBIDDEN', `You may not run services in namespace ${namespace}.`, { field: 'namespace' });
}

function origin(tools: OperationTools, context: Context, print: Fingerprint | null) {
  return {
    runId: randomUUID().replaceAll('-', ''),
    user: context.caller.name,
    embedded: tools.cluster.mode === 'EMBEDDED',
    annotations: tools.idempotency.annotate(null, print),
  };
}

async function create(
  tools: OperationTools,
  request: RunRequest,
  context: Context,
  print: Fingerprint | null,
): Promise<Written> {
  const { runs, idempotency } = tools;
  const from = origin(tools, context, print);
  let deployment: Deployment;
  try {
    deployment = await context.kube.create(deployments, deploymentOf(request, from));
  } catch (error) {
    const taken = print && (await holder(error, request, context));
    // The same call reached another replica first, and this one has not seen its object yet.
    if (taken && idempotency.carries(taken, print)) return first(tools, request, taken, context);
    throw refusal(error, request);
  }
  const service = await createService(tools, request, from, deployment, context);
  const key = runKey(request.namespace, from.runId);
  await tools.cluster.cache(deployments).seen(deployment);
  const run = await runs.after(service, key);
  return { run: run ?? viewOf(tools, deployment, service), manifests: manifestsOf(deployment, service) };
}

/** The Deployment that has the name, when that is why ours was refused. */
async function holder(error: unknown, { name, namespace }: RunRequest, { kube }: Context): Promise<Deployment | null> {
  if (!isTaken(error)) return null;
  return kube.get(deployments, name, namespace).catch(() => null);
}

async function createService(
  tools: OperationTools,
  request: RunRequest,
  from: ReturnType<typeof origin>,
  deployment: Deployment,
  context: Context,
): Promise<Service> {
  const { name, namespace } = request;
  try {
    return await context.kube.create(services, serviceOf(request, from, deployment));
  } catch (error) {
    // The same call on another replica goes on where this one is.
    const taken = isTaken(error) ? await context.kube.get(services, name, namespace).catch(() => null) : null;
    if (taken?.metadata.labels?.[runLabel] === from.runId) return taken;
    const uid = deployment.metadata.uid;
    try {
      await context.kube.delete(deployments, name, namespace, {
        propagationPolicy: 'Background',
        ...(uid !== undefined && { preconditions: { uid } }),
      });
    } catch (failure) {
      tools.log.error({ err: failure, deployment: name, namespace }, 'a Deployment without its Service is left over');
      const cause = refusal(error, request);
      throw new SlipwayError(
        cause.code,
        `${cause.message} Its Deployment ${name} could not be removed again: delete that run.`,
        { cause: error, ...(cause.field && { field: cause.field }), reason: 'DEPLOYMENT_LEFT' },
      );
    }
    throw refusal(error, request);
  }
}

function isTaken(error: unknown): error is ApiError {
  return error instanceof ApiError && error.reason === 'AlreadyExists';
}

/** The cluster's refusal, on the input field behind what it names. */
function refusal(error: unknown, { name, namespace }: RunRequest): SlipwayError {
  if (isTaken(error)) {
    const what = error.details.kind === 'services' ? 'Service' : 'Deployment';
    return new SlipwayError(
      'CONFLICT',
      `There is already a ${what} ${name} in namespace ${namespace}: choose another name.`,
      {
        cause: error,
        field: 'name',
        reason: 'NAME_TAKEN',
      },
    );
  }
  const noNamespace = error instanceof ApiError && error.status === 404;
  return toSlipwayError(error, {
    name: noNamespace ? `namespace ${namespace}` : `run ${name}`,
    fieldOf,
    ...(noNamespace && { field: 'namespace' }),
  });
}

const fields: readonly [RegExp, string][] = [
  [/^metadata\.name$/, 'name'],
  [/^metadata\.namespace$/, 'namespace'],
  [/labels/, 'labels'],
  [/\.image$/, 'image'],
  [/\.env\b/, 'env'],
  [/\.resources\b/, 'resources'],
  [/readinessProbe/, 'readinessPath'],
  [/ports/, 'ports'],
  [/\.replicas$/, 'replicas'],
];

function fieldOf(path: string): string | undefined {
  return fields.find(([pattern]) => pattern.test(path))?.[1];
}

/** The result of an earlier call with the same key; one that died before it made the Service is carried to its end. */
async function first(
  tools: OperationTools,
  request: RunRequest,
  deployment: Deployment,
  context: Context,
): Promise<Written> {
  const { namespace = '', labels = {}, annotations = {}, name } = deployment.metadata;
  const runId = labels[runLabel] ?? '';
  const made = {
    runId,
    user: annotations[userAnnotation] ?? '',
    embedded: tools.cluster.mode === 'EMBEDDED',
    annotations: {},
  };
  const service =
    tools.cluster.cache(services).get(namespace, name) ??
    (await createService(tools, request, made, deployment, context));
  const run = await tools.runs.after(service, runKey(namespace, runId));
  return { run: run ?? viewOf(tools, deployment, service), manifests: manifestsOf(deployment, service) };
}

async function rehearse(tools: OperationTools, request: RunRequest, context: Context): Promise<Written> {
  const from = origin(tools, context, null);
  try {
    const options = { dryRun: true };
    const deployment = await context.kube.create(deployments, deploymentOf(request, from), options);
    const service = await context.kube.create(services, serviceOf(request, from, null), options);
    const run = viewOf(tools, deployment, service);
    return { run: run && preview(run), manifests: manifestsOf(deployment, service) };
  } catch (error) {
    throw refusal(error, request);
  }
}

function manifestsOf(deployment: Deployment, service: Service): string {
  return renderManifests([deployment, service], 'YAML');
}

/** A run as it is right after its objects were made, before anything is known of it. */
function viewOf(tools: OperationTools, workload: Deployment, service: Service | null): RunView | null {
  const identity = slipwaySource.identify(workload);
  if (!identity) return null;
  const objects: RunObjects = { workload, service, aliases: [], pods: [], slices: [], events: [] };
  return view(objects, { ...identity, source: slipwaySource.name }, tools.clock.now(), tools.settings);
}
