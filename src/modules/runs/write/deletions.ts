import { createHash } from 'node:crypto';
import { gunzipSync, gzipSync } from 'node:zlib';
import { SlipwayError } from '../../../errors.ts';
import { ApiError, toSlipwayError } from '../../../k8s/api-error.ts';
import type { Cluster } from '../../../k8s/cluster.ts';
import { type KubeObject, type Service, services } from '../../../k8s/resources.ts';
import type { Log } from '../../../log.ts';
import type { Context } from '../../../module.ts';
import { parseGlobalId } from '../../../schema/ids.ts';
import {
  deletedAnnotation,
  deletedRunLabel,
  managedByLabel,
  managedBySlipway,
  manifestsAnnotation,
  projectLabel,
} from '../labels.ts';
import type { RunView } from '../service.ts';
import { runTypename } from '../view.ts';
import { type Fingerprint, type Idempotency, entriesOf } from './idempotency.ts';
import type { RunPlace } from './permission.ts';
import { isDnsLabel } from './syntax.ts';

/** A delete that was asked for with an idempotency key. */
export interface Deletion {
  /** Where the run was. */
  place: RunPlace;
  runId: string;
  /** Those that were its own. */
  objects: readonly DeletedObject[];
  manifests: string;
}

export interface DeletedObject {
  kind: string;
  name: string;
  uid: string;
}

type What = Pick<Deletion, 'objects' | 'manifests'>;

/**
 * Remembers deletes: of a deleted run nothing is left to carry a key, so a Service of its namespace does that has no
 * addresses, no selector and no ports. Whoever may run services may make one, and its name, which is made of the key, is
 * taken by the first of those who repeat a request. It goes with the first such delete in the namespace a day later.
 */
export interface Deletions {
  /** One that this server has seen; CONFLICT when the key was used with other input. */
  seen(print: Fingerprint): Deletion | null;
  /** One that only the cluster may know yet; null for whoever may not read it. */
  find(print: Fingerprint, id: string, context: Context): Promise<Deletion | null>;
  /** Writes down what will be deleted, or gives what another replica wrote for the same request. */
  record(print: Fingerprint, run: RunView, what: What, context: Context): Promise<Deletion>;
}

/** Removed at a time of those that are too old. */
const mostPruned = 10;

export function createDeletions({ cluster, idempotency, log }: Parts): Deletions {
  const cache = cluster.cache(services);
  const byKey = cache.index('runs:deletions', (service) =>
    isDeletion(service) ? entriesOf(service).map(({ key }) => key) : [],
  );
  const inNamespace = cache.index('runs:deletions-in', (service) =>
    isDeletion(service) ? [service.metadata.namespace ?? ''] : [],
  );
  const read = (service: Service, print: Fingerprint): Deletion | null =>
    isDeletion(service) && idempotency.carries(service, print) ? deletionOf(service) : null;

  async function prune(namespace: string, first: string, context: Context): Promise<void> {
    const old = [...inNamespace(namespace)]
      .filter((service) => idempotency.expired(service))
      .sort((a, b) => Number(b.metadata.name === first) - Number(a.metadata.name === first))
      .slice(0, mostPruned);
    const work = old.map(({ metadata: { name, uid } }) =>
      context.kube.delete(services, name, namespace, uid === undefined ? {} : { preconditions: { uid } }),
    );
    for (const outcome of await Promise.allSettled(work)) {
      if (outcome.status === 'rejected') log.debug({ err: outcome.reason as unknown, namespace }, 'not removed');
    }
  }

  return {
    seen(print) {
      for (const service of byKey(print.key)) {
        const deletion = read(service, print);
        if (deletion) return deletion;
      }
      return null;
    },
    async find(print, id, { kube }) {
      const namespace = namespaceOf(id);
      if (namespace === null || cluster.watchedNamespaces?.includes(namespace) === false) return null;
      try {
        return read(await kube.get(services, nameFor(print), namespace), print);
      } catch (error) {
        if (error instanceof ApiError && (error.status === 404 || error.status === 403)) return null;
        throw toSlipwayError(error, { field: 'id' });
      }
    },
    async record(print, run, what, context) {
      const service = serviceOf(print, run, what, idempotency);
      const { name, namespace = '' } = service.metadata;
      await prune(namespace, name, context);
      try {
        return deletionOf(await context.kube.create(services, service));
      } catch (error) {
        const taken = error instanceof ApiError && error.reason === 'AlreadyExists';
        const present = taken && (await context.kube.get(services, name, namespace).catch(() => null));
        const deletion = present && read(present, print);
        if (deletion) return deletion;
        throw notRemembered(error, namespace);
      }
    },
  };
}

interface Parts {
  cluster: Cluster;
  idempotency: Idempotency;
  log: Log;
}

/** Whether a Service stands for a deleted run. */
export function isDeletion({ metadata: { labels } }: KubeObject): boolean {
  return labels?.[managedByLabel] === managedBySlipway && labels[deletedRunLabel] !== undefined;
}

/** The same for everybody with the same key, so that the cluster lets only one of them make it. */
function nameFor({ key }: Fingerprint): string {
  return `slipway-deleted-${createHash('sha256').update(key).digest('hex').slice(0, 32)}`;
}

function namespaceOf(id: string): string | null {
  const parsed = parseGlobalId(id);
  const namespace = parsed?.local.split('/')[0] ?? '';
  return parsed?.typename === runTypename && isDnsLabel(namespace) ? namespace : null;
}

function serviceOf(
  print: Fingerprint,
  { runId, namespace, project }: RunView,
  { objects, manifests }: What,
  idempotency: Idempotency,
): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name: nameFor(print),
      namespace,
      labels: {
        [managedByLabel]: managedBySlipway,
        [deletedRunLabel]: runId,
        ...(project !== null && { [projectLabel]: project }),
      },
      annotations: {
        ...idempotency.annotate(null, print),
        [deletedAnnotation]: objects.map(({ kind, name, uid }) => `${kind}/${name}/${uid}`).join(' '),
        [manifestsAnnotation]: gzipSync(manifests).toString('base64'),
      },
    },
    spec: { clusterIP: 'None' },
  };
}

function deletionOf({ metadata: { namespace = '', labels = {}, annotations = {} } }: Service): Deletion {
  const runId = labels[deletedRunLabel] ?? '';
  const objects = (annotations[deletedAnnotation] ?? '').split(' ').map((entry) => {
    const [kind = '', name = '', uid = ''] = entry.split('/');
    return { kind, name, uid };
  });
  const manifests = gunzipSync(Buffer.from(annotations[manifestsAnnotation] ?? '', 'base64')).toString();
  return { place: { name: runId, namespace, project: labels[projectLabel] ?? null }, runId, objects, manifests };
}

/** Without the memory of it the same request could not be told from another: then nothing is deleted. */
function notRemembered(error: unknown, namespace: string): SlipwayError {
  const { code, message, reason } = toSlipwayError(error, { name: 'Service that remembers the key' });
  return new SlipwayError(
    code,
    `The idempotency key could not be remembered by a Service in namespace ${namespace}, and nothing was deleted: ${message}`,
    { cause: error, field: 'idempotencyKey', ...(reason !== undefined && { reason }) },
  );
}
