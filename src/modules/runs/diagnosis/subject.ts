import type { Container, ContainerStatus, Pod } from '../../../k8s/resources.ts';
import type { Situation } from './situation.ts';

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
