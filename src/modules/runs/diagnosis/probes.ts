import type { Probe } from '../../../k8s/resources.ts';
import { type Finding, finding } from './finding.ts';
import { eventTime, listeningFault, oneLine, readyChangedAt, startedAt, time, warningOf } from './situation.ts';
import { type Subject, nameOf } from './subject.ts';

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

function startup(subject: Subject, probe: Probe): Finding {
  const { pod, status } = subject;
  const failed = failure(subject, 'Startup');
  const since = time(status.state?.running?.startedAt) ?? startedAt(pod);
  if (!failed) return starting(subject, since);
  return finding('STARTUP_FAILING', {
    health: 'PROGRESSING',
    rawReason: 'Unhealthy',
    message: `${nameOf(subject)} has not passed its startup probe (${describeProbe(probe)}) yet: ${failed.detail}.`,
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

function starting(subject: Subject, since: number): Finding {
  return finding('STARTING', {
    health: 'PROGRESSING',
    message: `${nameOf(subject)} has started and is not ready yet.`,
    hint: 'Wait: it is judged again as soon as its probe answers.',
    object: subject.pod,
    since,
    changesAt: since + subject.situation.settings.startDeadlineMs + 1,
  });
}

function readiness(subject: Subject): Finding {
  const { situation, pod, spec, status } = subject;
  const since = time(status.state?.running?.startedAt) ?? startedAt(pod);
  const probe = spec?.readinessProbe;
  if (!probe) return starting(subject, since);
  const changed = readyChangedAt(pod);
  // Ready turned False after the container had started: it was ready before, so this is a loss, not a slow start.
  const lost = changed !== null && changed > since + 1000;
  const deadline = since + situation.settings.startDeadlineMs;
  const failed = listening(subject) ?? failure(subject, 'Readiness');
  const late = lost || situation.now > deadline;
  if (!failed && !late) return starting(subject, since);
  const detail = failed ? `: ${failed.detail}` : '';
  return finding('READINESS_FAILING', {
    health: late ? 'DEGRADED' : 'PROGRESSING',
    rawReason: 'Unhealthy',
    message: `${nameOf(subject)} runs but ${lost ? 'no longer passes' : 'has not passed'} its readiness probe (${describeProbe(probe)})${detail}.`,
    hint: readinessHint(failed?.detail ?? '', probe),
    object: pod,
    since: lost ? changed : since,
    ...(!late && { changesAt: deadline + 1 }),
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
