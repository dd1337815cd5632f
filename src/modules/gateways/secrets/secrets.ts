import type { Verb } from '../../../caller.ts';
import { invalid, SlipwayError, throwInvalid } from '../../../errors.ts';
import { ApiError, toSlipwayError } from '../../../k8s/api-error.ts';
import type { Cluster, JsonPatchOperation } from '../../../k8s/cluster.ts';
import { listAll } from '../../../k8s/list-all.ts';
import { apiVersionOf, type Secret, secrets } from '../../../k8s/resources.ts';
import type { Context } from '../../../module.ts';
import type { Backends } from '../backends.ts';
import type { Locks } from '../locks.ts';
import { managedByLabel } from '../names.ts';
import { secretLock } from '../protection.ts';
import type { Policy, PolicyBackend } from '../service.ts';
import { deleteRead, getOrNull, subjectOf } from '../writes.ts';
import { checkCreate, checkRotation, placeProblems } from './checks.ts';
import { keyData, kindOf, passwordData, principalsOf, rotationPatch } from './credentials.ts';
import { gatewaysUsing } from './usage.ts';
import type {
  CreateGatewaySecretInput,
  GatewaySecrets,
  GatewaySecretView,
  RotateGatewaySecretInput,
  SecretKind,
  SecretResult,
} from './service.ts';

interface Parts {
  cluster: Cluster;
  backends: Backends;
  locks: Locks;
  /** Judges Secrets as the default Gateway's controller reads them. */
  backend: () => Pick<PolicyBackend, 'secretProblem'>;
}

export function createSecrets(parts: Parts): GatewaySecrets {
  return {
    list: (context, namespace, kind) => list(parts, context, namespace, kind),
    create: (context, input) => create(parts, context, input),
    rotate: (context, input) => {
      throwInvalid(placeProblems(input));
      return parts.locks.run([secretLock(input.namespace, input.name)], () => rotate(parts, context, input));
    },
    delete: (context, input) => {
      throwInvalid(placeProblems(input));
      return parts.locks.run([secretLock(input.namespace, input.name)], () => remove(parts, context, input));
    },
  };
}

async function allow({ access }: Context, namespace: string, field: string, verbs: readonly Verb[]): Promise<void> {
  for (const verb of verbs) {
    if (await access.allows(verb, { namespace })) continue;
    const what = verb === 'secrets' ? 'read the Secrets' : 'change gateways';
    throw new SlipwayError('FORBIDDEN', `You may not ${what} of the namespace ${namespace}.`, { field });
  }
}

const toWrite: readonly Verb[] = ['secrets', 'expose'];

function watched({ cluster }: Parts, namespace: string, field: string): void {
  if (cluster.watchedNamespaces?.includes(namespace) !== false) return;
  const message = `This server only looks after ${cluster.watchedNamespaces.join(', ')}, not ${namespace}.`;
  throw invalid(field, message, 'NAMESPACE_NOT_WATCHED');
}

function viewOf({ backend }: Parts, secret: Secret, kind: SecretKind): GatewaySecretView {
  return {
    name: secret.metadata.name,
    namespace: secret.metadata.namespace ?? '',
    kind,
    principals: principalsOf(secret, kind),
    problem: backend().secretProblem(secret, kind)?.message ?? null,
  };
}

async function list(parts: Parts, context: Context, namespace: string, kind: string): Promise<GatewaySecretView[]> {
  if (kind !== 'BASIC' && kind !== 'API_KEY') {
    throw invalid('kind', `Secrets serve BASIC and API_KEY, not ${kind}.`, 'KIND_INVALID');
  }
  throwInvalid(placeProblems({ namespace, name: 'any' }));
  await allow(context, namespace, 'namespace', ['secrets']);
  const { kube: client, clock, signal } = context;
  try {
    const { items } = await listAll((page) => client.list(secrets, { ...page, namespace }), { clock, signal });
    return items
      .filter((secret) => meantFor(secret) === kind)
      .map((secret) => viewOf(parts, secret, kind))
      .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  } catch (error) {
    throw toSlipwayError(error, { name: `secrets of ${namespace}`, field: 'namespace' });
  }
}

/** Entries in which people put a password file where Envoy does not look for it. */
const misnamed = ['auth', 'htpasswd', 'users'];

/** What a Secret may serve for: nothing, when it is of another type or belongs to something else. */
function meantFor(secret: Secret): SecretKind | null {
  const { type = 'Opaque', data = {}, metadata } = secret;
  if (type !== 'Opaque') return null;
  if (kindOf(secret) === 'BASIC' || misnamed.some((key) => key in data)) return 'BASIC';
  const ours = metadata.labels?.[managedByLabel] === 'slipway';
  if (ours) return 'API_KEY';
  return Object.keys(data).length > 0 && !metadata.ownerReferences?.length ? 'API_KEY' : null;
}

async function create(parts: Parts, context: Context, input: CreateGatewaySecretInput): Promise<SecretResult> {
  checkCreate(input);
  const { basic, apiKey } = input;
  const [place, prefix] = basic ? [basic, 'basic'] : [apiKey, 'apiKey'];
  if (!place) throw new Error('neither basic nor apiKey: the schema lets no such input through');
  const { namespace, name } = place;
  watched(parts, namespace, `${prefix}.namespace`);
  await allow(context, namespace, `${prefix}.namespace`, toWrite);
  const { data, generated } = basic
    ? passwordData(basic.users.map(({ username, password = null }) => ({ username, password })))
    : keyData(apiKey?.clients ?? []);
  const secret: Secret = {
    apiVersion: apiVersionOf(secrets),
    kind: secrets.kind,
    metadata: { name, namespace, labels: { [managedByLabel]: 'slipway' } },
    type: 'Opaque',
    data,
  };
  try {
    const written = await context.kube.create(secrets, secret);
    context.log.info({ secret: `${namespace}/${name}`, principals: generated.length }, 'gateway secret created');
    return { secret: viewOf(parts, written, basic ? 'BASIC' : 'API_KEY'), generated };
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) {
      throw invalid(`${prefix}.namespace`, `There is no namespace ${namespace}.`, 'NAMESPACE_NOT_FOUND');
    }
    throw toSlipwayError(error, { ...subjectOf(secrets, name), field: `${prefix}.name` });
  }
}

/** A Secret that Slipway made: any other may serve something else, which a new value would break. */
async function own(context: Context, { namespace, name }: { namespace: string; name: string }): Promise<Secret | null> {
  await allow(context, namespace, 'namespace', toWrite);
  const secret = await getOrNull(context.kube, secrets, namespace, name);
  if (secret && secret.metadata.labels?.[managedByLabel] !== 'slipway') {
    const message = `The Secret ${name} was not made by Slipway. Change it where it was made.`;
    throw new SlipwayError('NOT_SUPPORTED', message, { field: 'name', reason: 'NOT_MANAGED' });
  }
  return secret;
}

async function rotate(parts: Parts, context: Context, input: RotateGatewaySecretInput): Promise<SecretResult> {
  const { namespace, name } = input;
  const secret = await own(context, input);
  if (!secret) throw new SlipwayError('NOT_FOUND', `There is no Secret ${name} in ${namespace}.`, { field: 'name' });
  const kind = kindOf(secret);
  const fault = parts.backend().secretProblem(secret, kind);
  if (fault) throw invalid('name', `The Secret ${name} is broken. ${fault.message} Make a new one.`, fault.reason);
  const rotation = checkRotation(input, kind, principalsOf(secret, kind));
  const { operations, generated } = rotationPatch(secret, kind, rotation);
  if (generated.length + rotation.remove.length === 0) return { secret: viewOf(parts, secret, kind), generated };
  const written = await patchSecret(context, secret, operations);
  const { add, remove, renew } = rotation;
  const counts = { renewed: renew.length, added: add.length, removed: remove.length };
  context.log.info({ secret: `${namespace}/${name}`, ...counts }, 'gateway secret rotated');
  return { secret: viewOf(parts, written, kind), generated };
}

/** Only what was read is patched: somebody else's change meanwhile is CONFLICT, never lost. */
async function patchSecret(
  { kube }: Context,
  { metadata }: Secret,
  operations: readonly JsonPatchOperation[],
): Promise<Secret> {
  const { name, namespace, resourceVersion } = metadata;
  const test: JsonPatchOperation = { op: 'test', path: '/metadata/resourceVersion', value: resourceVersion };
  try {
    return await kube.patch(secrets, name, namespace, [test, ...operations]);
  } catch (error) {
    const now = error instanceof ApiError ? await getOrNull(kube, secrets, namespace ?? '', name) : null;
    if (now && now.metadata.resourceVersion !== resourceVersion) {
      const message = `The Secret ${name} was changed by somebody else meanwhile. Look again and repeat.`;
      throw new SlipwayError('CONFLICT', message, { field: 'name', reason: 'CHANGED' });
    }
    throw toSlipwayError(error, { ...subjectOf(secrets, name), field: 'name' });
  }
}

async function remove(parts: Parts, context: Context, place: { namespace: string; name: string }): Promise<boolean> {
  const { namespace, name } = place;
  const secret = await own(context, place);
  if (!secret) return false;
  const users = gatewaysUsing(await policiesOf(parts, namespace), place, parts.backends);
  if (users.length > 0) {
    const seen = await context.access.scope('see');
    const named = users.filter((user) => seen.includes({ namespace: user.namespace })).map((user) => user.route);
    const which = named.length > 0 ? ` (${named.join(', ')})` : '';
    const message = `The Secret ${name} protects ${users.length} gateway(s)${which}. Give them other protection first.`;
    throw new SlipwayError('CONFLICT', message, { field: 'name', reason: 'SECRET_IN_USE' });
  }
  await deleteRead(context.kube, secrets, secret, { strict: true });
  context.log.info({ secret: `${namespace}/${name}` }, 'gateway secret deleted');
  return true;
}

/** Those of the namespace straight from the server: a policy may be newer than the cache. */
async function policiesOf({ cluster, backends }: Parts, namespace: string): Promise<Policy[]> {
  const found = backends.resources.map(async (resource) => {
    const cached = [...cluster.cache(resource).list()].filter(({ metadata }) => metadata.namespace !== namespace);
    try {
      const { items } = await cluster.client.list(resource, { namespace });
      return [...cached, ...items];
    } catch (error) {
      // Where the kind is unknown, no policy uses anything.
      if (error instanceof ApiError && error.status === 404) return cached;
      throw toSlipwayError(error, { own: true });
    }
  });
  return (await Promise.all(found)).flat();
}
