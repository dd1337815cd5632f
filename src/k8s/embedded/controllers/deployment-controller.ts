import type { KubeClient } from '../../cluster.ts';
import { type Deployment, deployments, type Pod, pods, type ReplicaSet, replicaSets } from '../../resources.ts';
import { sameTemplate, templateHashLabel } from './canonical.ts';
import type { Controller, ControllerPart } from './controller.ts';
import { type DeploymentPlan, plan, revisionAnnotation, sameStatus } from './deployment-plan.ts';
import { claim, controllerReference } from './ownership.ts';
import { isControlledBy } from './pod-state.ts';
import { desiredReplicas, desiredReplicasAnnotation, maxReplicasAnnotation, rollingLimits, sizeOf } from './rollout.ts';

const manager = { fieldManager: 'kube-controller-manager' };
const notCopied = new Set(['kubectl.kubernetes.io/last-applied-configuration', revisionAnnotation]);

function sizeAnnotations(deployment: Deployment): Record<string, string> {
  const desired = desiredReplicas(deployment);
  return {
    [desiredReplicasAnnotation]: String(desired),
    [maxReplicasAnnotation]: String(desired + rollingLimits(deployment).maxSurge),
  };
}

function newReplicaSet(
  deployment: Deployment,
  made: NonNullable<DeploymentPlan['create']>,
  revision: number,
): ReplicaSet {
  const { metadata, spec } = deployment;
  const labels = { ...spec.template.metadata?.labels, [templateHashLabel]: made.hash };
  const copied = Object.entries(metadata.annotations ?? {}).filter(([key]) => !notCopied.has(key));
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name: made.name,
      ...(metadata.namespace !== undefined && { namespace: metadata.namespace }),
      labels,
      annotations: {
        ...Object.fromEntries(copied),
        ...sizeAnnotations(deployment),
        [revisionAnnotation]: String(revision),
      },
      ownerReferences: [controllerReference(deployment, deployments)],
    },
    spec: {
      replicas: made.replicas,
      ...(spec.minReadySeconds !== undefined && { minReadySeconds: spec.minReadySeconds }),
      selector: {
        ...spec.selector,
        matchLabels: { ...spec.selector.matchLabels, [templateHashLabel]: made.hash },
      },
      template: { ...spec.template, metadata: { ...spec.template.metadata, labels } },
    },
  };
}

/** Deployment → ReplicaSet. Keys are `namespace/name`. */
export function createDeploymentController({ api, clock, events, requeue }: ControllerPart): Controller {
  const client: KubeClient = api.client;

  function podsOf(deployment: Deployment, own: readonly ReplicaSet[]): Pod[] {
    return api
      .list(pods, deployment.metadata.namespace)
      .filter((pod) => own.some((replicaSet) => isControlledBy(pod, replicaSet.metadata.uid)));
  }

  function scaled(deployment: Deployment, name: string, from: number, to: number): void {
    const verb = to > from ? 'up' : 'down';
    const message = `Scaled ${verb} replica set ${name} from ${from} to ${to}`;
    events.record(deployment, 'Normal', 'ScalingReplicaSet', message);
  }

  /** Creates the ReplicaSet of the plan; false where its name is somebody else's. */
  async function create(deployment: Deployment, next: DeploymentPlan): Promise<boolean> {
    if (!next.create) return true;
    const wanted = newReplicaSet(deployment, next.create, next.revision);
    const taken = api.get(replicaSets, deployment.metadata.namespace, next.create.name);
    if (taken) {
      return isControlledBy(taken, deployment.metadata.uid) && sameTemplate(taken.spec.template, wanted.spec.template);
    }
    await client.create(replicaSets, wanted, manager);
    if (next.create.replicas > 0) scaled(deployment, next.create.name, 0, next.create.replicas);
    return true;
  }

  async function resize(deployment: Deployment, next: DeploymentPlan, own: readonly ReplicaSet[]): Promise<void> {
    const annotations = sizeAnnotations(deployment);
    for (const replicaSet of own) {
      const change = next.resize.find((candidate) => candidate.replicaSet === replicaSet);
      const wanted: Record<string, string> = {};
      if (replicaSet === next.newest) wanted[revisionAnnotation] = String(next.revision);
      if (replicaSet === next.newest || sizeOf(replicaSet) > 0 || change) Object.assign(wanted, annotations);
      const present = replicaSet.metadata.annotations ?? {};
      const stale = Object.entries(wanted).some(([key, value]) => present[key] !== value);
      const minReadySeconds = deployment.spec.minReadySeconds ?? 0;
      const respec = replicaSet === next.newest && (replicaSet.spec.minReadySeconds ?? 0) !== minReadySeconds;
      if (!change && !stale && !respec) continue;
      const { name, namespace } = replicaSet.metadata;
      const spec = { ...(change && { replicas: change.replicas }), ...(respec && { minReadySeconds }) };
      const patch = { metadata: { annotations: wanted }, ...((change || respec) && { spec }) };
      await client.patch(replicaSets, name, namespace, patch, manager);
      if (change) scaled(deployment, name, sizeOf(replicaSet), change.replicas);
    }
  }

  async function writeStatus(deployment: Deployment, status: DeploymentPlan['status']): Promise<void> {
    const { name, namespace } = deployment.metadata;
    const present = api.get(deployments, namespace, name);
    if (!present || present.metadata.uid !== deployment.metadata.uid || sameStatus(present.status, status)) return;
    await client.replace(deployments, { ...present, status }, { ...manager, subresource: 'status' });
  }

  async function noteRevision(deployment: Deployment, next: DeploymentPlan): Promise<void> {
    if (!next.newest && !next.create) return;
    const revision = String(next.revision);
    const { name, namespace, annotations } = deployment.metadata;
    if (annotations?.[revisionAnnotation] === revision) return;
    const patch = { metadata: { annotations: { [revisionAnnotation]: revision } } };
    // With the status, as the real controller does: it is no change of what is wanted.
    await client.patch(deployments, name, namespace, patch, { ...manager, subresource: 'status' });
  }

  return {
    name: 'deployment',
    async sync(key) {
      const [namespace, name = ''] = key.split('/');
      const deployment = api.get(deployments, namespace, name);
      if (!deployment || deployment.metadata.deletionTimestamp !== undefined) return;
      const own = await claim(
        api,
        { object: deployment, resource: deployments },
        { resource: replicaSets, objects: api.list(replicaSets, namespace) },
      );
      const next = plan(deployment, own, podsOf(deployment, own), clock.now());
      if (!(await create(deployment, next))) {
        // The next hash takes the collision count in; the change of status leads to the next round.
        const collisionCount = (deployment.status?.collisionCount ?? 0) + 1;
        return writeStatus(deployment, { ...deployment.status, collisionCount });
      }
      await resize(deployment, next, own);
      for (const { metadata } of next.remove) await client.delete(replicaSets, metadata.name, metadata.namespace);
      await noteRevision(deployment, next);
      await writeStatus(deployment, next.status);
      if (next.checkAt !== undefined) requeue(key, Math.max(0, next.checkAt - clock.now()));
    },
  };
}
