import { type Finding, finding, mergeByPod, sortFindings } from './finding.ts';
import { diagnoseFinished } from './finished.ts';
import { diagnoseNetwork } from './network.ts';
import { diagnosePod } from './pods.ts';
import { type Situation, canRead, createdAt } from './situation.ts';
import { diagnoseWorkload, terminating } from './workload.ts';

/** Everything there is to say about a run, most important first. Pure: the same objects at the same time, the same answer. */
export function diagnose(situation: Situation): Finding[] {
  const { workload, service } = situation.objects;
  if (!workload) {
    const deleting = service && terminating(situation, service);
    return sortFindings(deleting ? [deleting] : [...unreadable(situation), ...workloadMissing(situation)]);
  }
  const ofWorkload = diagnoseWorkload(situation, workload);
  // Of a run that ends or is stopped, the state of the remaining Pods says nothing.
  if (workload.metadata.deletionTimestamp !== undefined) return ofWorkload;
  if (situation.desired === 0) return sortFindings([...ofWorkload, ...diagnoseNetwork(situation)]);
  const ofPods = [
    ...mergeByPod(
      situation.pods.map((pod) => diagnosePod(situation, pod)),
      situation.pods.length,
    ),
    ...diagnoseFinished(situation),
  ];
  const explained = ofPods.some((item) => item.health !== 'HEALTHY');
  const general = ofWorkload.filter((item) => !(explained && item.reason.code === 'STARTING'));
  return sortFindings([...unreadable(situation), ...general, ...ofPods, ...diagnoseNetwork(situation)]);
}

function workloadMissing(situation: Situation): Finding[] {
  const { service } = situation.objects;
  if (!canRead(situation, 'Deployment')) return [];
  return [
    finding('WORKLOAD_MISSING', {
      health: 'MISSING',
      message: `Service ${service?.metadata.name ?? ''} is there, but no Deployment of the run.`,
      hint: 'Start the run again, or delete it to remove the Service too.',
      object: service,
      since: service ? createdAt(service) : null,
    }),
  ];
}

/** Without one of these nobody knows whether the run is well; without the other kinds less is known of why. */
const essential = ['Deployment', 'Pod', 'Service'];

/** Kinds that this server may not read, or that could not be listed yet. */
function unreadable({ objects }: Situation): Finding[] {
  const kinds = objects.unreadable ?? [];
  const main = objects.workload ?? objects.service;
  if (kinds.length === 0) return [];
  return [
    finding('UNKNOWN', {
      health: kinds.some((kind) => essential.includes(kind)) ? 'UNKNOWN' : 'HEALTHY',
      rawReason: 'NotReadable',
      message: `The server can't read these objects of the cluster: ${kinds.join(', ')}.`,
      hint: 'Give it the right to list and watch them: look at cluster.watches.',
      object: main,
      since: main && createdAt(main),
    }),
  ];
}
