import { type Environment, readSettings } from '../config.ts';
import { ApiError } from '../k8s/api-error.ts';
import { createKubeClient } from '../k8s/client.ts';
import type { KubeClient } from '../k8s/cluster.ts';
import { openTransport } from '../k8s/connect.ts';
import type { Identity, Transport } from '../k8s/transport.ts';
import { createLog } from '../log.ts';
import type { Finding } from '../module.ts';
import { type Plan, planModules } from '../registry.ts';
import { absentKinds } from './check/kinds.ts';
import { missingRights, whoAmI } from './check/rights.ts';
import { connectionOf } from './connection.ts';
import { loadModules } from './load-modules.ts';
import { rulesOf } from './manifests/roles.ts';

export interface CheckResult {
  text: string;
  problems: number;
}

interface Target {
  plan: Plan;
  transport: Transport;
  client: KubeClient;
  namespaces: readonly string[] | undefined;
}

/** Looks at the cluster that the configuration names: what keeps each module from working there, and how to mend it. */
export async function checkCluster(
  environment: Environment,
  { as }: { as?: string | undefined },
): Promise<CheckResult> {
  const settings = readSettings(environment);
  const { modules, config } = await loadModules(settings, environment);
  const plan = await planModules(modules, config);
  if (settings.SLIPWAY_CLUSTER === 'embedded') {
    const text =
      'The embedded cluster needs no rights, kinds or Gateways. Set SLIPWAY_CLUSTER=kubeconfig to check another.\n';
    return { text, problems: 0 };
  }
  const transport = openTransport(connectionOf(settings, environment, createLog('silent')));
  const client = createKubeClient(transport, as === undefined ? undefined : identityOf(as));
  try {
    return await report({ plan, transport, client, namespaces: settings.SLIPWAY_NAMESPACES });
  } finally {
    await transport.close();
  }
}

/** Whom a ServiceAccount acts as besides itself, as the API server sees it. */
function identityOf(user: string): Identity {
  const [, namespace] = /^system:serviceaccount:([^:]+):[^:]+$/.exec(user) ?? [];
  const own = namespace === undefined ? [] : ['system:serviceaccounts', `system:serviceaccounts:${namespace}`];
  return { user, groups: [...own, 'system:authenticated'] };
}

async function report(target: Target): Promise<CheckResult> {
  const { plan, transport, client } = target;
  const names = plan.modules.map(({ module }) => module.name).join(', ');
  const proxy = transport.proxy === null ? [] : [line('Proxy', transport.proxy)];
  const head = [line('Cluster', transport.url), ...proxy, line('Modules', names)];
  let version: string;
  let user: string | null;
  try {
    ({ gitVersion: version } = await transport.json<{ gitVersion: string }>({ method: 'GET', path: '/version' }));
    user = await whoAmI(client);
  } catch (error) {
    return result(head, [{ module: 'cluster', ...unreachable(error, transport.proxy) }]);
  }
  head[0] = line('Cluster', `${transport.url}, Kubernetes ${version}`);
  head.push(line('Identity', user ?? 'not told by this cluster'));
  return result(head, await findings(target));
}

type Found = Finding & { module: string };

async function findings({ plan, transport, client, namespaces }: Target): Promise<Found[]> {
  const signal = AbortSignal.timeout(60_000);
  const { absent, findings: kinds } = await absentKinds(plan.modules, transport, signal);
  const rights = await missingRights(rulesOf(plan.modules), { client, namespaces, absent });
  const own: Found[] = [];
  for (const { module, config } of plan.modules) {
    // What it would ask for is not there, or is refused.
    if (!module.check || [...kinds, ...rights].some((found) => found.module === module.name)) continue;
    try {
      for (const finding of await module.check({ config, client, namespaces: namespaces ?? null }))
        own.push({ module: module.name, ...finding });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const message = `what it needs can't be looked at: ${error.message}.`;
      own.push({ module: module.name, message, remedy: 'Mend what is said above first, and check again.' });
    }
  }
  return [...kinds, ...rights, ...own];
}

function unreachable(error: unknown, proxy: string | null): Finding {
  if (!(error instanceof ApiError)) throw error;
  if (error.status === 401) {
    const refused = 'the API server does not accept the credentials (401).';
    const message = error.reason === 'NoCredentials' ? `there are no credentials: ${error.message}.` : refused;
    return { message, remedy: 'Renew them: kubectl with the same kubeconfig says more.' };
  }
  if (error.status === 403) {
    const message = `the API server refuses (403): ${error.message}`;
    return {
      message,
      remedy: 'To check the rights of another user with --as, you need the right to impersonate them.',
    };
  }
  const way = proxy === null ? '' : ` through the proxy ${proxy}`;
  const orProxy = proxy === null ? '' : ', the proxy, NO_PROXY';
  return {
    message: `it can't be reached${way}: ${error.message}.`,
    remedy: `Correct SLIPWAY_CLUSTER, KUBECONFIG${orProxy} or the network.`,
  };
}

function result(head: readonly string[], found: readonly Found[]): CheckResult {
  const lines = found.flatMap(({ module, message, remedy }) => [
    line('MISSING', `${module}: ${message}`),
    line('', remedy),
  ]);
  const count = found.length === 1 ? '1 problem.' : `${found.length} problems.`;
  const end = found.length === 0 ? 'Nothing is missing.' : count;
  return { text: `${[...head, '', ...lines, end].join('\n')}\n`, problems: found.length };
}

function line(word: string, text: string): string {
  return `${word.padEnd(10)}${text}`;
}
