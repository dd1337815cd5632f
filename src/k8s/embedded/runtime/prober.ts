import type { Clock } from '../../../clock.ts';
import type { Probe } from '../../resources.ts';
import type { ProbeResult } from './probe-actions.ts';

export type ProbeKind = 'Startup' | 'Readiness' | 'Liveness';

export interface ProberOptions {
  kind: ProbeKind;
  probe: Probe;
  clock: Clock;
  /** The result as it stands: true for a container taken over that was ready. */
  initial: boolean;
  /** Does the probe once. */
  run: (signal: AbortSignal) => Promise<ProbeResult>;
  /** The result changed, by as many outcomes in a row as its threshold says. */
  changed: (ok: boolean) => void;
  /** A failure to be told, in the kubelet's words. */
  failed: (message: string) => void;
}

/** Programs need a moment to listen: a refused connection in this time is not worth an event. */
const quietMs = 2000;
const firstQuickMs = 50;
const maxQuickMs = 1000;

/**
 * Probes a container by its period until stopped. Before its first success a readiness or startup probe also tries in
 * between, soon after the start and then less and less often (the kubelet too may probe at other times while a
 * container is not ready); those tries count for success only.
 */
export function startProber(options: ProberOptions): () => void {
  const { kind, probe, clock, run } = options;
  const abort = new AbortController();
  const periodMs = (probe.periodSeconds ?? 10) * 1000;
  const startedAt = clock.now();
  const quick = kind !== 'Liveness' && !options.initial;
  let result = options.initial;
  let succeededOnce = options.initial;
  let streak = 0;
  let last: boolean | undefined;
  let toldAt = -Infinity;
  let quickMs = firstQuickMs;
  let nextRegular = startedAt + (probe.initialDelaySeconds ?? (kind === 'Liveness' ? periodMs / 1000 : 0)) * 1000;
  let cancel = clock.after(nextRegular - startedAt, () => void attempt());

  function tell(outcome: ProbeResult): void {
    const now = clock.now();
    if (now - toldAt < periodMs || (outcome.refused && now - startedAt < quietMs)) return;
    toldAt = now;
    options.failed(`${kind} probe failed: ${outcome.message}`);
  }

  function count(outcome: ProbeResult, regular: boolean): void {
    if (!outcome.ok) tell(outcome);
    if (!outcome.ok && !regular) return;
    streak = last === outcome.ok ? streak + 1 : 1;
    last = outcome.ok;
    const threshold = outcome.ok ? (probe.successThreshold ?? 1) : (probe.failureThreshold ?? 3);
    if (outcome.ok) succeededOnce = true;
    // A failure that reaches the threshold is told each time it does: a failed liveness probe restarts.
    if (streak < threshold || (result === outcome.ok && !(kind !== 'Readiness' && !outcome.ok))) return;
    result = outcome.ok;
    streak = 0;
    options.changed(outcome.ok);
  }

  function schedule(): void {
    const now = clock.now();
    let wait = nextRegular - now;
    if (quick && !succeededOnce && quickMs < wait) {
      wait = quickMs;
      quickMs = Math.min(quickMs * 2, maxQuickMs);
    }
    cancel = clock.after(Math.max(0, wait), () => void attempt());
  }

  async function attempt(): Promise<void> {
    const now = clock.now();
    const regular = now >= nextRegular;
    if (regular) nextRegular = now + periodMs;
    const outcome = await run(abort.signal);
    if (abort.signal.aborted) return;
    count(outcome, regular);
    // `changed` may have stopped this prober.
    if (!abort.signal.aborted) schedule();
  }

  return () => {
    abort.abort();
    cancel();
  };
}
