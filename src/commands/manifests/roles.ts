import { Auth } from '../../auth.ts';
import type { AnyModule, PolicyRule } from '../../module.ts';
import type { PlannedModule } from '../../registry.ts';

/** What Slipway's own identity needs for one module. */
export interface ModuleRules {
  module: string;
  /** Of kinds without a namespace: granted by a ClusterRoleBinding. */
  cluster: PolicyRule[];
  /** Of kinds in namespaces: granted everywhere, or in the watched namespaces only. */
  namespaced: PolicyRule[];
}

/** Kinds without a namespace that no watch may name. */
const clusterScoped = new Set([
  'customresourcedefinitions.apiextensions.k8s.io',
  'gatewayclasses.gateway.networking.k8s.io',
  'groups',
  'namespaces',
  'nodes',
  'persistentvolumes',
  'selfsubjectaccessreviews.authorization.k8s.io',
  'storageclasses.storage.k8s.io',
  'subjectaccessreviews.authorization.k8s.io',
  'tokenreviews.authentication.k8s.io',
  'uids.authentication.k8s.io',
  'users',
]);

/** What the modules declare, with their configuration. */
export function rulesOf(modules: readonly PlannedModule[]): ModuleRules[] {
  const scopes = scopesOf(modules);
  const forCallers = actsForCallers(modules);
  return modules.flatMap(({ module, config }) => {
    const own = rules(module.rbac, config);
    const declared = forCallers ? [...own, ...rules(module.callerRbac, config)] : own;
    const split = (clusterWide: boolean) =>
      declared.flatMap((rule) => onlyResources(rule, (name) => isClusterScoped(name, scopes) === clusterWide));
    const result = { module: module.name, cluster: split(true), namespaced: split(false) };
    return declared.length === 0 ? [] : [result];
  });
}

function rules(declared: AnyModule['rbac'], config: unknown): readonly PolicyRule[] {
  return typeof declared === 'function' ? declared(config) : (declared ?? []);
}

/** Whether what callers ask for goes out with our own identity: there is no sign-in, or their roles decide. */
export function actsForCallers(modules: readonly PlannedModule[]): boolean {
  const auth = modules.find(({ module }) =>
    Object.values<{ id: string }>(module.provides ?? {}).some(({ id }) => id === Auth.id),
  );
  const config = auth?.config as { authorizer?: unknown } | null | undefined;
  return config == null || config.authorizer === 'roles';
}

/** Whether a kind has no namespace, where some module watches it. */
function scopesOf(modules: readonly PlannedModule[]): Map<string, boolean> {
  const scopes = new Map<string, boolean>();
  for (const { module, config } of modules) {
    const watches = typeof module.watches === 'function' ? module.watches(config) : (module.watches ?? []);
    for (const { resource } of watches) scopes.set(fullName(resource.group, resource.plural), !resource.namespaced);
  }
  return scopes;
}

export function fullName(group: string, resource: string): string {
  return group === '' ? resource : `${resource}.${group}`;
}

function isClusterScoped(name: string, scopes: ReadonlyMap<string, boolean>): boolean {
  return scopes.get(name) ?? (clusterScoped.has(name) || name.startsWith('userextras/'));
}

/** The part of a rule about the resources that are wanted, in each of its groups. */
function onlyResources(rule: PolicyRule, wanted: (name: string) => boolean): PolicyRule[] {
  const parts = rule.apiGroups.map((group) => ({
    group,
    resources: rule.resources.filter((resource) => wanted(fullName(group, resource.split('/')[0] ?? ''))),
  }));
  const whole = parts.every(({ resources }) => resources.length === rule.resources.length);
  if (whole) return [rule];
  return parts.flatMap(({ group, resources }) =>
    resources.length === 0 ? [] : [{ ...rule, apiGroups: [group], resources }],
  );
}
