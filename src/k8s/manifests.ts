import { stringify } from 'yaml';
import { type Container, type KubeObject, type PodSpec } from './resources.ts';

export type ManifestFormat = 'YAML' | 'JSON';

/** What stands where a secret value was. No base64, so a Secret can not be applied with it by mistake. */
const masked = '***';

/**
 * Objects as somebody would write them: what the cluster filled in (status, uid, versions, owners, addresses) is
 * dropped, and so are the values of Secrets and of whatever has a secret-looking name; the names stay.
 */
export function renderManifests(objects: readonly KubeObject[], format: ManifestFormat): string {
  const manifests = objects.map(manifestOf);
  // Equal parts of cached objects are one: without aliases for them, it is as somebody would write it.
  const yaml = (manifest: Loose) => stringify(manifest, { aliasDuplicateObjects: false, lineWidth: 0 });
  if (format === 'YAML') return manifests.map(yaml).join('---\n');
  const [only] = manifests;
  const list = { apiVersion: 'v1', kind: 'List', items: manifests };
  return `${JSON.stringify(manifests.length === 1 ? only : list, null, 2)}\n`;
}

const secretName =
  /pass|secret|token|credential|session|auth|dsn|(?:^|[_.-])key$|(?:api|private|access)[_.-]?key|connection_?string/i;
const urlWithPassword = /^[a-z][a-z0-9+.-]*:\/\/[^/\s]*:[^/\s]*@/i;

/** True for names such as `DB_PASSWORD` or `api-key`, whose values are never shown. */
export function isSecretName(name: string): boolean {
  return secretName.test(name);
}

/** True for URLs with a password in them. */
export function isSecretValue(value: string): boolean {
  return urlWithPassword.test(value);
}

type Loose = Record<string, unknown>;

function manifestOf(object: KubeObject): Loose {
  const {
    apiVersion,
    kind,
    metadata,
    status: _,
    ...rest
  } = structuredClone(object) as KubeObject & { status?: unknown };
  return { apiVersion, kind, metadata: metadataOf(metadata), ...bodyOf(kind, rest) };
}

function metadataOf({ name, generateName, namespace, labels, annotations, finalizers }: KubeObject['metadata']): Loose {
  const kept = Object.entries(annotations ?? {}).filter(([key]) => !writtenByCluster.has(key));
  return {
    ...(name && { name }),
    ...(generateName && !name && { generateName }),
    ...(namespace && { namespace }),
    ...(labels && { labels }),
    ...(kept.length > 0 && { annotations: Object.fromEntries(kept) }),
    ...(finalizers && { finalizers }),
  };
}

const writtenByCluster = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  'deployment.kubernetes.io/revision',
  'endpoints.kubernetes.io/last-change-trigger-time',
]);

function bodyOf(kind: string, body: Loose): Loose {
  if (kind === 'Secret') return { ...body, ...maskValues(body, 'data'), ...maskValues(body, 'stringData') };
  if (kind === 'ConfigMap') return { ...body, ...maskValues(body, 'data', isSecretName) };
  const spec = isRecord(body.spec) ? body.spec : undefined;
  if (!spec) return body;
  if (kind === 'Service' && spec.clusterIP !== 'None') {
    delete spec.clusterIP;
    delete spec.clusterIPs;
  }
  const template = isRecord(spec.template) ? spec.template : undefined;
  const podSpec = kind === 'Pod' ? spec : template?.spec;
  if (isRecord(podSpec)) maskEnv(podSpec);
  if (kind === 'Pod') delete spec.nodeName;
  if (isRecord(template?.metadata) && template.metadata.creationTimestamp === null) {
    delete template.metadata.creationTimestamp;
  }
  return body;
}

function maskValues(body: Loose, key: string, secret: (name: string) => boolean = () => true): Loose {
  const values = body[key];
  if (!isRecord(values)) return {};
  return {
    [key]: Object.fromEntries(Object.entries(values).map(([name, value]) => [name, secret(name) ? masked : value])),
  };
}

function maskEnv(podSpec: Partial<PodSpec>): void {
  const containers: Container[] = [...(podSpec.initContainers ?? []), ...(podSpec.containers ?? [])];
  for (const variable of containers.flatMap((container) => container.env ?? [])) {
    if (variable.value && (isSecretName(variable.name) || isSecretValue(variable.value))) variable.value = masked;
  }
}

function isRecord(value: unknown): value is Loose {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
