import type { Container, ContainerStatus, Pod } from '../../../k8s/resources.ts';
import type { Millis } from '../service.ts';
import { type Situation, readyChangedAt, time } from './situation.ts';

/** A container with its Pod: what every check of containers and probes is about. */
export interface Subject {
  situation: Situation;
  pod: Pod;
  spec: Container | undefined;
  status: ContainerStatus;
  init: boolean;
}

export const nameOf = ({ pod, status, init }: Subject): string =>
  `${init ? 'Init container' : 'Container'} ${status.name} of Pod ${pod.metadata.name}`;

/** When the present run of a container stopped being ready; null when it was not ready yet. */
export function lostReadiness({ pod, status }: Subject): Millis | null {
  const since = time(status.state?.running?.startedAt);
  const changed = readyChangedAt(pod);
  // Ready turned False after the container had started: it was ready before, so this is a loss, not a slow start.
  return since !== null && changed !== null && changed > since + 1000 ? changed : null;
}
