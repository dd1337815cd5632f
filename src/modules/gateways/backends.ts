import { BootError } from '../../boot-error.ts';
import type { PolicyBackend } from './service.ts';

/** Finds the implementation of protection for a controller; undefined when nobody speaks for it. */
export type BackendFor = (controller: string | null) => PolicyBackend | undefined;

/** By the controller of the Gateway, or always the configured one; a name that nobody has is a boot error. */
export function chooseBackends(backends: readonly PolicyBackend[], configured: string): BackendFor {
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

/** Reads the policy of a route whose Gateway is not there to say who enforces it. */
export function readByAny(backends: readonly PolicyBackend[]): PolicyBackend['read'] {
  return (policy) => {
    const readings = backends.map((backend) => backend.read(policy));
    return readings.find(({ kind }) => kind !== 'OTHER') ?? { kind: 'OTHER' };
  };
}
