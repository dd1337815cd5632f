import type { Clock } from '../../../clock.ts';
import type { Container } from '../../resources.ts';
import type { Instance } from './instance.ts';
import { residentBytes } from './os-process.ts';
import { parseQuantity } from '../../quantity.ts';

const periodMs = 1000;

/**
 * Holds a program to its memory limit, as a container's cgroup would: looks every second at what it and its children
 * have resident, and tells once it is too much. Built-in images, and systems without /proc, are not measured.
 */
export function startMemoryWatch(
  { container, instance, clock }: { container: Container; instance: Instance; clock: Clock },
  exceeded: () => void,
): () => void {
  const limit = parseQuantity(container.resources?.limits?.memory ?? '');
  if (!(limit > 0)) return () => {};
  let cancel = clock.after(periodMs, look);

  function look(): void {
    const resident = instance.pids().reduce((sum, pid) => sum + residentBytes(pid), 0);
    if (resident > limit) return exceeded();
    cancel = clock.after(periodMs, look);
  }

  return () => cancel();
}
