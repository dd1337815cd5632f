import type { Deployment, Service } from '../../../k8s/resources.ts';
import {
  functionLabel,
  managedByLabel,
  managedBySlipway,
  modelAnnotation,
  processImage,
  projectLabel,
  protocolAnnotation,
  runLabel,
  userAnnotation,
} from '../labels.ts';
import type { RunIdentity, RunSource } from '../service.ts';
import { toProtocol } from './protocol.ts';

/** What `runService` makes. */
export const slipwaySource: RunSource = {
  name: 'slipway',
  identify(object) {
    const labels = object.metadata.labels ?? {};
    const runId = labels[runLabel];
    if (labels[managedByLabel] !== managedBySlipway || !runId) return null;
    const annotations = object.metadata.annotations ?? {};
    return {
      runId,
      name: object.metadata.name,
      project: labels[projectLabel] ?? null,
      function: labels[functionLabel] ?? null,
      kind: kindOf(object),
      user: annotations[userAnnotation] ?? null,
      protocol: toProtocol(annotations[protocolAnnotation]) ?? 'HTTP',
      model: annotations[modelAnnotation] ?? null,
    } satisfies RunIdentity;
  },
};

function kindOf(object: Deployment | Service): string | null {
  if (object.kind !== 'Deployment') return null;
  const [container] = (object as Deployment).spec.template.spec.containers;
  return container?.image === processImage ? 'process+serve' : 'container+serve';
}
