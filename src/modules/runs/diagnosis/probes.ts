import type { Pod, Probe } from '../../../k8s/resources.ts';
import type { Millis } from '../service.ts';
import { type Finding, finding } from './finding.ts';
import {
  type Situation,
  eventTime,
  listeningFault,
  oneLine,
  patience,
  startedAt,
  time,
  warningOf,
} from './situation.ts';
import { type Subject, lostReadiness, nameOf } from './subject.ts';

/** What the probes of a running container say, and why a waiting one has not started. */
export function diagnoseProbes(subject: Subject): Finding[] {
  const { status, spec, init } = subject;
  const running = status.state?.running;
  if (!running) return [];
  if (spec?.startupProbe && status.started === false) return [startup(subject, spec.startupProbe)];
  if (status.ready) return liveness(subject);
  if (init) return [];
  return [readiness(subject)];
}

/** The newest failure of a probe since the container's present start. */
function failure({ situation, pod, status }: Subject, word: string): { at: number; detail: string } | null {
  const event = warningOf(situation, pod.metadata.uid, 'Unhealthy', new RegExp(`^${word} probe`, 'i'));
  const at = event && eventTime(event);
  const since = time(status.state?.running?.startedAt) ?? 0;
  if (!event || at === null || at === undefined || at < since) return null;
  return { at, detail: oneLine(event.message).replace(/^\w+ probe (failed|errored): /i, '') };
}

/** What the embedded cluster noticed since the present start: a wrong address or a taken port. */
function listening({ situation, pod, status }: Subject): { at: number; detail: string } | null {
  const since = time(status.state?.running?.startedAt) ?? 0;
  const event = listeningFault(situation, pod, since);
  return event ? { at: eventTime(event) ?? since, detail: oneLine(event.message) } : null;
}

/** `GET /health on port 8080`, `a connection to port 8080`, `the command test -f /ready`. */
export function describeProbe(probe: Probe): string {
  if (probe.httpGet) return `GET ${probe.httpGet.path ?? '/'} on port ${probe.httpGet.port}`;
  if (probe.tcpSocket) return `a connection to port ${probe.tcpSocket.port}`;
  if (probe.exec) return `the command ${probe.exec.command.join(' ')}`;
  return 'its check';
}

/** How long a probe may fail before it counts. */
function budgetMs(probe: Probe | undefined): number {
  if (!probe) return 0;
  const { initialDelaySeconds = 0, failureThreshold = 3, periodSeconds = 10 } = probe;
  return (initialDelaySeconds + failureThreshold * periodSeconds) * 1000;
}

/** While its budget lasts Kubernetes waits too, and then ends the container. */
function startup(subject: Subject, probe: Probe): Finding {
  const { situation, pod, status } = subject;
  const failed = failure(subject, 'Startup');
  const since = time(status.state?.running?.startedAt) ?? startedAt(pod);
  const judged = patience(situation, since, budgetMs(probe));
  if (!failed && judged.health === 'PROGRESSING') return starting(subject, since, budgetMs(probe));
  return finding('STARTUP_FAILING', {
    ...judged,
    rawReason: failed ? 'Unhealthy' : undefined,
    message: `${nameOf(subject)} has not passed its startup probe (${describeProbe(probe)}) yet${failed ? `: ${failed.detail}` : ''}.`,
    hint: 'Wait if the program takes long to start; else check path and port of the probe, and the logs.',
    object: pod,
    since,
  });
}

function liveness(subject: Subject): Finding[] {
  const { situation, pod, spec } = subject;
  const failed = spec?.livenessProbe ? failure(subject, 'Liveness') : null;
  const until = (failed?.at ?? 0) + situation.settings.startDeadlineMs;
  if (!spec?.livenessProbe || !failed || situation.now > until) return [];
  return [
    finding('LIVENESS_FAILING', {
      health: 'DEGRADED',
      rawReason: 'Unhealthy',
      message: `${nameOf(subject)} fails its liveness probe (${describeProbe(spec.livenessProbe)}): ${failed.detail}.`,
      hint: 'It will be restarted if this goes on: check its load and logs, and whether the probe asks the right thing.',
      object: pod,
      since: failed.at,
      changesAt: until + 1,
    }),
  ];
}

/** When the last failure of a Pod's liveness probe no longer counted. */
export function livenessForgottenAt(situation: Situation, pod: Pod): Millis | null {
  if (!pod.spec.containers.some((container) => container.livenessProbe)) return null;
  const event = warningOf(situation, pod.metadata.uid, 'Unhealthy', /^Liveness probe/i);
  const at = event ? eventTime(event) : null;
  return at === null ? null : at + situation.settings.startDeadlineMs + 1;
}

function starting(subject: Subject, since: number, extraMs = 0): Finding {
  const judged = patience(subject.situation, since, extraMs);
  return finding('STARTING', {
    ...judged,
    message: `${nameOf(subject)} has started and is not ready yet.`,
    hint:
      judged.health === 'PROGRESSING'
        ? 'Wait: it is judged again as soon as its probe answers.'
        : 'This takes long: look at its logs and at the events of the Pod.',
    object: subject.pod,
    since,
  });
}

function readiness(subject: Subject): Finding {
  const { situation, pod, spec, status } = subject;
  const began = time(status.state?.running?.startedAt) ?? startedAt(pod);
  const probe = spec?.readinessProbe;
  if (!probe) return starting(subject, began);
  const lost = lostReadiness(subject);
  const extra = budgetMs(spec.startupProbe) + (probe.initialDelaySeconds ?? 0) * 1000;
  const judged = lost === null ? patience(situation, began, extra) : { health: 'DEGRADED' as const };
  const failed = listening(subject) ?? failure(subject, 'Readiness');
  if (!failed && judged.health === 'PROGRESSING') return starting(subject, began, extra);
  const detail = failed ? `: ${failed.detail}` : '';
  return finding('READINESS_FAILING', {
    ...judged,
    rawReason: 'Unhealthy',
    message: `${nameOf(subject)} runs but ${lost === null ? 'has not passed' : 'no longer passes'} its readiness probe (${describeProbe(probe)})${detail}.`,
    hint: readinessHint(failed?.detail ?? '', probe),
    object: pod,
    since: lost ?? began,
  });
}

function readinessHint(detail: string, probe: Probe): string {
  const port = probe.httpGet?.port ?? probe.tcpSocket?.port;
  if (/is taken/.test(detail)) return 'Stop the other program, or choose another port.';
  if (/listens on/.test(detail)) return 'Make the program listen on the address and port in $HOST and $PORT.';
  if (/refused|ECONNREFUSED/i.test(detail)) {
    return `Nothing listens on port ${port} of the Pod: make the program listen there on all addresses, not on localhost only.`;
  }
  if (/statuscode: 4\d\d|status 4\d\d|\b40[0-9]\b/i.test(detail)) {
    return `The program answers but not at ${probe.httpGet?.path ?? '/'}: correct the readiness path.`;
  }
  if (/statuscode: 5\d\d|status 5\d\d|\b50[0-9]\b/i.test(detail))
    return 'The program answers with an error: read its logs.';
  if (/timeout|deadline|timed out/i.test(detail))
    return 'The program is too slow to answer: read its logs, or give the probe more time.';
  return 'Read the logs: the program runs but does not say it is ready.';
}
