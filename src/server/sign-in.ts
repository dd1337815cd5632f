import type { Auth } from '../auth.ts';
import { BootError } from '../boot-error.ts';
import type { Caller } from '../caller.ts';
import type { Clock } from '../clock.ts';
import { isLoopback } from '../http-guard.ts';
import type { ClusterMode } from '../k8s/cluster.ts';

/** Runs `task` when the caller's token expires; the returned function calls it off. */
export function atExpiry(clock: Clock, { expiresAt }: Caller, task: () => void): () => void {
  if (expiresAt === null) return () => {};
  let cancel = () => {};
  const wait = (): void => {
    const left = expiresAt - clock.now();
    // A timer may fire early: it holds at most 24 days.
    cancel = clock.after(Math.max(0, left), () => (clock.now() < expiresAt ? wait() : task()));
  };
  wait();
  return () => cancel();
}

export interface Listener {
  host: string;
  allowedHosts: readonly string[];
  allowedOrigins: readonly string[];
  mode: ClusterMode;
}

/** Without sign-in everybody who reaches the port is the local user: so nobody but this machine may reach it. */
export function checkListener({ host, allowedHosts, allowedOrigins, mode }: Listener, auth: Auth | undefined): void {
  if (auth?.signIn) return;
  const problems: { field: string; message: string; remedy: string }[] = [];
  const signIn = 'set SLIPWAY_AUTH_ISSUER and SLIPWAY_AUTH_AUDIENCE';
  if (!isLoopback(host)) {
    const message = `${host} can be reached from other machines, and no sign-in is configured.`;
    problems.push({
      field: 'SLIPWAY_HOST',
      message,
      remedy: `Use a loopback address such as 127.0.0.1, or ${signIn}.`,
    });
  }
  const opened = { SLIPWAY_ALLOWED_HOSTS: allowedHosts, SLIPWAY_ALLOWED_ORIGINS: allowedOrigins };
  for (const [field, names] of Object.entries(opened)) {
    if (names.length === 0) continue;
    const message = 'lets others in, and no sign-in is configured.';
    problems.push({ field, message, remedy: `Unset it, or ${signIn}.` });
  }
  if (!auth && mode !== 'EMBEDDED') {
    const message = 'lacks a module that says who callers are: without one only the embedded cluster is served.';
    problems.push({ field: 'modules', message, remedy: 'Add "auth" to `modules`.' });
  }
  if (problems.length > 0) throw new BootError(problems.map((problem) => ({ module: 'server', ...problem })));
}
