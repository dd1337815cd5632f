import { matchesSelector } from '../../selectors.ts';
import {
  apiVersionOf,
  type KubeObject,
  type LabelSelector,
  type OwnerReference,
  type Resource,
} from '../../resources.ts';
import type { EmbeddedApi } from '../api/service.ts';
import { isControlledBy } from './pod-state.ts';

const manager = { fieldManager: 'kube-controller-manager' };

/** A Deployment or ReplicaSet: whom its selector matches belongs to it. */
export type Owner = KubeObject & { spec: { selector: LabelSelector } };

/** The reference by which an object belongs to its controller. */
export function controllerReference(owner: KubeObject, kind: Resource): OwnerReference {
  return {
    apiVersion: apiVersionOf(kind),
    kind: kind.kind,
    name: owner.metadata.name,
    uid: owner.metadata.uid ?? '',
    controller: true,
    blockOwnerDeletion: true,
  };
}

export function hasController({ metadata }: KubeObject): boolean {
  return metadata.ownerReferences?.some(({ controller }) => controller) ?? false;
}

/** The owners that would adopt an object without a controller. */
export function adopters<T extends Owner>(owners: readonly T[], orphan: KubeObject): T[] {
  if (hasController(orphan)) return [];
  return owners.filter(({ spec }) => matchesSelector(spec.selector, orphan.metadata.labels));
}

/**
 * What belongs to an owner: takes in what its selector matches and nobody controls, and lets go of what it does not
 * match any more. An owner on its way out does neither.
 */
export async function claim<T extends KubeObject>(
  api: EmbeddedApi,
  owner: { object: Owner; resource: Resource },
  candidates: { resource: Resource<T>; objects: readonly T[] },
): Promise<T[]> {
  const { metadata, spec } = owner.object;
  const controlled = (object: T) => isControlledBy(object, metadata.uid);
  if (metadata.deletionTimestamp !== undefined) return candidates.objects.filter(controlled);

  async function refer(object: T, references: OwnerReference[]): Promise<T> {
    const { name, namespace, uid, resourceVersion } = object.metadata;
    const patch = { metadata: { uid, resourceVersion, ownerReferences: references.length > 0 ? references : null } };
    return api.client.patch(candidates.resource, name, namespace, patch, manager);
  }

  const own: T[] = [];
  for (const object of candidates.objects) {
    const { ownerReferences = [], deletionTimestamp, labels } = object.metadata;
    const matches = matchesSelector(spec.selector, labels);
    if (controlled(object)) {
      if (matches) own.push(object);
      else if (deletionTimestamp === undefined) {
        await refer(
          object,
          ownerReferences.filter(({ uid }) => uid !== metadata.uid),
        );
      }
    } else if (matches && !hasController(object) && deletionTimestamp === undefined) {
      own.push(await refer(object, [...ownerReferences, controllerReference(owner.object, owner.resource)]));
    }
  }
  return own;
}
