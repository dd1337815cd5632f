import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import { type NamedEntry, pemOf, problem, text } from './kubeconfig-entry.ts';
import { expiryOf, oidcCredentials, tokensOf } from './oidc-credentials.ts';
import { isHttps } from './oidc-refresh.ts';
import { proxyFromEnvironment } from './proxy.ts';
import type { Credentials } from './transport.ts';

interface Options {
  environment?: Readonly<Record<string, string | undefined>> | undefined;
  clock: Clock;
  log?: Log | undefined;
}

/** The user's `auth-provider`, of which Kubernetes' own programs have left but `oidc`; throws a BootError for what can't work. */
export function oidcUser(entry: NamedEntry, { environment = {}, clock, log }: Options): Credentials {
  const { name, config } = Object(entry.user?.['auth-provider']) as { name?: unknown; config?: unknown };
  const user = entry.name ?? '';
  if (name !== 'oidc') throw gone(user, name);
  const values = Object(config) as Record<string, unknown>;
  const issuer = text(values['idp-issuer-url']) ?? '';
  const clientId = text(values['client-id']);
  if (!isHttps(issuer)) throw unfit(user, 'has no idp-issuer-url with https.', 'Correct it.');
  if (!clientId) throw unfit(user, 'has no client-id.', 'Add it.');
  const tokens = tokensOf(values);
  if (expiryOf(tokens.idToken) <= clock.now() && tokens.refreshToken === undefined) {
    throw unfit(user, 'has neither an id-token that is still valid nor a refresh-token.', 'Sign in again.');
  }
  // One that is none is better known now.
  proxyFromEnvironment(issuer, environment);
  const ca = pemOf(entry, values, 'idp-certificate-authority');
  const client = { ...{ user, issuer, clientId, clientSecret: text(values['client-secret']) }, ...{ ca, environment } };
  return oidcCredentials({ client, tokens, file: entry.file, clock, log });
}

const plugins: Readonly<Record<string, string>> = {
  gcp: 'gke-gcloud-auth-plugin',
  azure: 'kubelogin of Azure',
};

function gone(user: string, name: unknown) {
  const provider = JSON.stringify(name) ?? 'none';
  const plugin = plugins[String(name)];
  return problem(
    `The user "${user}" of the kubeconfig signs in by the auth-provider ${provider}, which Kubernetes has given up.`,
    `Use a user with exec${plugin ? ` (${plugin})` : ''}, a client certificate, a token or a tokenFile.`,
  );
}

function unfit(user: string, what: string, remedy: string) {
  return problem(`The auth-provider oidc of the user "${user}" of the kubeconfig ${what}`, remedy);
}
