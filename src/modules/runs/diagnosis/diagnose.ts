import { type Finding, finding, mergeByPod, sortFindings } from './finding.ts';
import { diagnoseNetwork } from './network.ts';
import { diagnoseFinished, diagnosePod } from './pods.ts';
import { diagnoseWorkload, terminating } from './rollout.ts';
import { type Situation, createdAt } from './situation.ts';

/** Everything there is to say about a run, most important first. Pure: the same objects at the same time, the same answer. */
export function diagnose(situation: Situation): Finding[] {
  const { workload, service } = situation.objects;
  if (!workload) {
    const deleting = service && terminating(situation, service);
    return sortFindings([deleting ?? workloadMissing(situation)]);
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
  return sortFindings([...general, ...ofPods, ...diagnoseNetwork(situation)]);
}

function workloadMissing({ objects }: Situation): Finding {
  const { service } = objects;
  return finding('WORKLOAD_MISSING', {
    health: 'MISSING',
    message: `Service ${service?.metadata.name ?? ''} is there, but no Deployment of the run.`,
    hint: 'Start the run again, or delete it to remove the Service too.',
    object: service,
    since: service ? createdAt(service) : null,
  });
}
