import { isAbsent } from '../../k8s/discovery.ts';
import { type Resource, apiVersionOf, resourceName } from '../../k8s/resources.ts';
import type { Transport } from '../../k8s/transport.ts';
import type { Finding } from '../../module.ts';
import type { PlannedModule } from '../../registry.ts';

const definers: Readonly<Record<string, string>> = {
  'gateway.networking.k8s.io': 'Gateway API (the standard channel of its CRDs)',
  'gateway.envoyproxy.io': 'Envoy Gateway with its CRDs',
};

/** The kinds that the modules watch and the cluster does not serve. */
export async function absentKinds(
  modules: readonly PlannedModule[],
  transport: Transport,
  signal: AbortSignal,
): Promise<{ absent: ReadonlySet<string>; findings: (Finding & { module: string })[] }> {
  const absent = new Set<string>();
  const known = new Map<string, Promise<boolean>>();
  const findings: (Finding & { module: string })[] = [];
  for (const { module, config } of modules) {
    const watches = typeof module.watches === 'function' ? module.watches(config) : (module.watches ?? []);
    for (const { resource, alternative } of watches) {
      const name = resourceName(resource);
      const asked = known.get(name) ?? isAbsent(transport, resource, signal);
      known.set(name, asked);
      if (!(await asked)) continue;
      absent.add(name);
      if (alternative) continue;
      findings.push({ module: module.name, ...describe(resource, module.name) });
    }
  }
  return { absent, findings };
}

function describe(resource: Resource, module: string): Finding {
  const install = definers[resource.group] ?? `what defines ${apiVersionOf(resource)} ${resource.kind}`;
  return {
    message: `the cluster does not serve ${resourceName(resource)} (${apiVersionOf(resource)}).`,
    remedy: `Install ${install}, or leave "${module}" out of \`modules\`.`,
  };
}
