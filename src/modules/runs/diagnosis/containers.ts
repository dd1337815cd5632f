import type { Millis } from '../service.ts';
import { type Finding, finding } from './finding.ts';
import { diagnoseProbes } from './probes.ts';
import {
  duration,
  eventTime,
  lastEnd,
  listeningFault,
  oneLine,
  plural,
  inWindow,
  readyChangedAt,
  restartTimes,
  startedAt,
  time,
  warningOf,
} from './situation.ts';
import { type Subject, lostReadiness, nameOf } from './subject.ts';

const imageReasons = new Set([
  'ImagePullBackOff',
  'ErrImagePull',
  'InvalidImageName',
  'ErrImageNeverPull',
  'ImageInspectError',
  'RegistryUnavailable',
  'SignatureValidationFailed',
]);
const configReasons = new Set([
  'CreateContainerConfigError',
  'CreateContainerError',
  'RunContainerError',
  'PreStartHookError',
  'PostStartHookError',
]);
const cannotStart = new Set(['StartError', 'ContainerCannotRun']);

/** What is wrong with one container of a Pod. */
export function diagnoseContainer(subject: Subject): Finding[] {
  const { status, init } = subject;
  const waiting = status.state?.waiting?.reason ?? '';
  if (imageReasons.has(waiting)) return [imagePull(subject)];
  if (configReasons.has(waiting)) return [containerConfig(subject, waiting, status.state?.waiting?.message)];
  const end = lastEnd(status);
  if (end?.reason !== undefined && cannotStart.has(end.reason) && !status.state?.running) {
    return [containerConfig(subject, end.reason, end.message)];
  }
  // An init container that did its work stays terminated with exit code 0.
  if (init && status.state?.terminated?.exitCode === 0) return [];
  const crash = crashed(subject);
  if (crash && crash.health !== 'HEALTHY') return [crash];
  return [...(crash ? [crash] : []), ...diagnoseProbes(subject)];
}

function imagePull(subject: Subject): Finding {
  const { pod, status, spec } = subject;
  const waiting = status.state?.waiting;
  // The kubelet's words about its waiting say no more than the reason does.
  const detail = oneLine(waiting?.message?.replace(/^Back-off pulling image "[^"]*"(: ErrImagePull: )?/, ''));
  const image = spec?.image ?? status.image ?? '';
  return finding('IMAGE_PULL', {
    health: 'DEGRADED',
    rawReason: waiting?.reason,
    message: `${nameOf(subject)} can't get its image "${image}"${detail && `: ${detail}`}.`,
    hint: imageHint(detail, waiting?.reason),
    object: pod,
    since: startedAt(pod),
  });
}

function imageHint(detail: string, reason: string | undefined): string {
  if (/runs no containers/i.test(detail)) {
    return 'Run a local program with `process` instead, or use Slipway with a real cluster.';
  }
  if (reason === 'InvalidImageName') return 'Correct the name of the image: registry/repository:tag.';
  if (/unauthorized|denied|forbidden|authentication/i.test(detail)) {
    return 'Check the name of the image, and give the Pod an image pull secret that may read it.';
  }
  if (/not ?found|manifest unknown|does not exist/i.test(detail)) {
    return 'Check name and tag of the image: the registry does not have it.';
  }
  if (/timeout|no such host|refused|unreachable/i.test(detail)) return 'Check that the nodes reach the registry.';
  return 'Check name and tag of the image, and whether the cluster may pull it.';
}

function containerConfig(subject: Subject, rawReason: string, message: string | undefined): Finding {
  const { pod } = subject;
  const detail = oneLine(message);
  const missing = /(secret|configmap)s? "?([^"\s]+)"? not found/i.exec(detail);
  const noProgram = /not found|no such file|ENOENT|permission denied/i.test(detail);
  return finding('CONTAINER_CONFIG', {
    health: 'DEGRADED',
    rawReason,
    message: `${nameOf(subject)} can't be started${detail && `: ${detail}`}.`,
    hint: missing
      ? `Create the ${missing[1]?.toLowerCase() === 'secret' ? 'Secret' : 'ConfigMap'} ${missing[2]} in namespace ${pod.metadata.namespace}, or correct its name in the run.`
      : noProgram
        ? 'Check the command: its program must exist and be executable.'
        : 'Check command, environment, Secrets and ConfigMaps of the run.',
    object: pod,
    since: startedAt(pod),
  });
}

/** A container that crashed or keeps doing so; for information only when it is well again after a single restart. */
function crashed(subject: Subject): Finding | null {
  const { situation, pod, status } = subject;
  const { restartThreshold, restartWindowMs } = situation.settings;
  const down = status.state?.terminated !== undefined || status.state?.waiting?.reason === 'CrashLoopBackOff';
  const { counted, changesAt } = inWindow(situation, restartTimes(situation, pod, status));
  const restarts = counted.length;
  if (!down && restarts === 0) return null;
  const starting = !status.ready && lostReadiness(subject) === null;
  const cause = causeOf(subject);
  const times = restarts > 0 ? `restarted ${plural(restarts, 'time')} in the last ${duration(restartWindowMs)}` : '';
  return finding(cause.code, {
    health: down || starting || restarts >= restartThreshold ? 'DEGRADED' : 'HEALTHY',
    rawReason: status.state?.waiting?.reason ?? lastEnd(status)?.reason,
    message: `${nameOf(subject)} ${[times, cause.what].filter(Boolean).join(' and ')}.`,
    hint: cause.hint,
    object: pod,
    count: Math.max(1, restarts),
    since: crashedSince(subject, counted),
    changesAt,
  });
}

/** Since it went down; of one that is up again, since it restarted too often, as far as the times are known. */
function crashedSince({ situation, pod, status }: Subject, restarts: readonly Millis[]): Millis {
  const ended = time(lastEnd(status)?.finishedAt);
  if (!status.ready) return readyChangedAt(pod) ?? ended ?? startedAt(pod);
  const known = restarts.filter((at) => at !== startedAt(pod));
  return known.at(-situation.settings.restartThreshold) ?? ended ?? startedAt(pod);
}

type Cause = { code: 'OOM_KILLED' | 'CRASH_LOOP' | 'LIVENESS_FAILING' | 'STARTUP_FAILING'; what: string; hint: string };

function causeOf(subject: Subject): Cause {
  const { situation, pod, spec, status } = subject;
  const end = lastEnd(status);
  if (end?.reason === 'OOMKilled') {
    const limit = spec?.resources?.limits?.memory;
    return {
      code: 'OOM_KILLED',
      what: `was killed because it used more memory than ${limit ? `its limit of ${limit}` : 'the node could give'}`,
      hint: limit
        ? `Raise the memory limit (now ${limit}), or make the program use less memory.`
        : 'Give the run a memory request, or make the program use less memory.',
    };
  }
  // A warning counts when it came not long before the end; counted back from now, the cause would change by itself.
  const from = (time(end?.finishedAt) ?? situation.now) - situation.settings.restartWindowMs;
  const probe = (word: string) => {
    const event = warningOf(situation, pod.metadata.uid, 'Unhealthy', new RegExp(`^${word} probe`, 'i'));
    return event && (eventTime(event) ?? 0) >= from ? event : undefined;
  };
  const liveness = end && end.exitCode !== 0 ? probe('Liveness') : undefined;
  if (liveness) {
    return {
      code: 'LIVENESS_FAILING',
      what: `was ended because its liveness probe failed: ${oneLine(liveness.message)}`,
      hint: 'Check that the probe asks the right path and port, and give it more time if the program is only slow.',
    };
  }
  const startup = end && end.exitCode !== 0 ? probe('Startup') : undefined;
  if (startup) {
    return {
      code: 'STARTUP_FAILING',
      what: `was ended because its startup probe failed: ${oneLine(startup.message)}`,
      hint: 'Check what the probe asks, and raise its failureThreshold if the program takes longer to start.',
    };
  }
  const fault = listeningFault(situation, pod, from);
  if (fault?.reason === 'PortTaken') {
    const what = `ended with exit code ${end?.exitCode ?? 'unknown'}: ${oneLine(fault.message)}`;
    return { code: 'CRASH_LOOP', what, hint: 'Stop the other program, or choose another port.' };
  }
  return { code: 'CRASH_LOOP', ...exitOf(end) };
}

function exitOf(end: ReturnType<typeof lastEnd>): { what: string; hint: string } {
  const code = end?.exitCode;
  const said = oneLine(end?.message);
  const what = `ended ${code === undefined ? 'at once' : `with exit code ${code}`}${said && `: ${said}`}`;
  if (/EADDRINUSE|address already in use/i.test(said)) {
    return { what, hint: 'Another program has the port: choose another one, or make the program use $(PORT).' };
  }
  switch (code) {
    case 0:
      return { what, hint: 'A service must keep running: make the program wait for requests instead of ending.' };
    case 126:
      return { what, hint: 'The command is not executable: check the command and the rights of the file.' };
    case 127:
      return { what, hint: 'The command was not found: check its name and the PATH.' };
    case 137:
      return { what, hint: 'It was killed (SIGKILL): look for memory use, a liveness probe, or who killed it.' };
    case 139:
      return {
        what,
        hint: 'It crashed with a segmentation fault: look at its native libraries and the CPU it was built for.',
      };
    case 143:
      return { what, hint: 'It was asked to end (SIGTERM): find out what stops it, a liveness probe for example.' };
    default:
      return {
        what,
        hint: 'Read the logs of its last run (logs with previous: true); the last lines usually say why.',
      };
  }
}
