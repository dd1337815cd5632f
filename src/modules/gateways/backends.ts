import { BootError } from '../../boot-error.ts';
import { type KubeObject, type Resource, resourceName, apiVersionOf } from '../../k8s/resources.ts';
import type { Policy, PolicyBackend } from './service.ts';

/** Finds the implementation of protection for a controller; undefined when nobody speaks for it. */
export type BackendFor = (controller: string | null) => PolicyBackend | undefined;

/** By the controller of the Gateway, or always the configured one; a name that nobody has is a boot error. */
function chooseBackends(backends: readonly PolicyBackend[], configured: string): BackendFor {
  if (configured === 'auto') {
    return (controller) => backends.find(({ controllers }) => controller !== null && controllers.includes(controller));
  }
  const chosen = backends.find(({ name }) => name === configured);
  if (chosen) return () => chosen;
  const names = backends.map(({ name }) => name).join(', ');
  throw new BootError([
    {
      module: 'gateways',
      field: 'policy',
      message: `There is no policy back end "${configured}".`,
      remedy: `Set "gateways.policy" or SLIPWAY_GATEWAYS_POLICY to auto or one of: ${names}.`,
    },
  ]);
}

/** All back ends, and the kinds of their policies. */
export interface Backends {
  /** By the controller of a Gateway. */
  readonly of: BackendFor;
  /** Each kind once. */
  readonly resources: readonly Resource<Policy>[];
  /** One that reads the kind of a policy: the preferred one if it does. */
  reader(policy: Kind, preferred?: PolicyBackend): PolicyBackend | undefined;
}

export function createBackends(backends: readonly PolicyBackend[], configured: string): Backends {
  const byKind = new Map(backends.toReversed().map((backend) => [kindKey(objectKind(backend.resource)), backend]));
  const byName = new Map(backends.map(({ resource }) => [resourceName(resource), resource]));
  return {
    of: chooseBackends(backends, configured),
    resources: [...byName.values()],
    reader(policy, preferred) {
      const fits = preferred && kindKey(objectKind(preferred.resource)) === kindKey(policy);
      return fits ? preferred : byKind.get(kindKey(policy));
    },
  };
}

type Kind = Pick<KubeObject, 'apiVersion' | 'kind'>;
const kindKey = ({ apiVersion, kind }: Kind): string => `${apiVersion} ${kind}`;
const objectKind = (resource: Resource): Kind => ({ apiVersion: apiVersionOf(resource), kind: resource.kind });
