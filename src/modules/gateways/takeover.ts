import type { Clock } from '../../clock.ts';
import { sleep } from '../../k8s/deadline.ts';
import { conditionOf, gatewayReady } from './parents.ts';
import type { PolicyIndex } from './policy-index.ts';
import type { ParentName, Policy } from './service.ts';
import type { ParentTarget } from './targets.ts';

/** How long a controller has to take over a policy while a mutation waits. */
const takenMs = 10_000;

/** The embedded gateway sees everything in the order in which it was written. */
const inOrder: readonly (string | null)[] = ['slipway.dev/gateway-controller'];

/** Whether a new protected route needs the gate: not where nobody serves it, nor where a filter of it names the policy. */
export function needsGate({ policies, controller, gateway }: ParentTarget): boolean {
  return policies !== undefined && !policies.filter && !inOrder.includes(controller) && gatewayReady(gateway);
}

/** The controller of a Gateway has spoken of the present policy: it has it, or refuses it, and then nobody gets through. */
function isTaken(policy: Policy, parent: ParentName): boolean {
  return (policy.status?.ancestors ?? []).some(({ ancestorRef, conditions }) => {
    const { name, namespace = policy.metadata.namespace } = ancestorRef;
    if (name !== parent.name || namespace !== parent.namespace) return false;
    const seen = conditionOf(conditions, 'Accepted')?.observedGeneration ?? 0;
    return seen >= (policy.metadata.generation ?? 0);
  });
}

interface Waiting {
  policies: PolicyIndex;
  clock: Clock;
  /** What a data plane takes to put into effect what its controller has. */
  takeoverMs: number;
}

/** True once the policy is in force on a Gateway; false when the controller stays silent. */
export async function inForce(policy: Policy, parent: ParentName, waiting: Waiting): Promise<boolean> {
  const { policies, clock, takeoverMs } = waiting;
  const present = (): Policy | undefined => {
    const { namespace, name, uid } = policy.metadata;
    const found = policies.cacheOf(policy)?.get(namespace, name);
    return found?.metadata.uid === uid ? found : undefined;
  };
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const check = (): void => {
    const found = present();
    if (found && isTaken(found, parent)) resolve(true);
  };
  const unsubscribe = policies.subscribe(check);
  const cancel = clock.after(takenMs, () => resolve(false));
  check();
  const taken = await promise.finally(() => {
    unsubscribe();
    cancel();
  });
  if (taken && takeoverMs > 0) await sleep(clock, takeoverMs, new AbortController().signal);
  return taken;
}

/** The same, as it is now. */
export const inForceNow = (policy: Policy, parents: readonly ParentName[]): boolean =>
  parents.some((parent) => isTaken(policy, parent));
