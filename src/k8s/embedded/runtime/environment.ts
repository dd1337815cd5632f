import type { ConfigMap, Container, EnvVar, Pod, Secret } from '../../resources.ts';
import { expand } from './expansion.ts';

/** The container can't be made as its Pod says; the message is shown on it. */
export class ContainerConfigError extends Error {
  override name = 'ContainerConfigError';
}

/** Where values come from that a Pod only refers to. */
export interface References {
  secret(name: string): Secret | undefined;
  configMap(name: string): ConfigMap | undefined;
}

type Source = NonNullable<EnvVar['valueFrom']>;

function fromSecret(ref: NonNullable<Source['secretKeyRef']>, pod: Pod, references: References): string | undefined {
  const secret = references.secret(ref.name);
  if (!secret) {
    if (ref.optional) return undefined;
    throw new ContainerConfigError(`secret "${ref.name}" not found`);
  }
  const data = secret.data?.[ref.key];
  if (data !== undefined) return Buffer.from(data, 'base64').toString('utf8');
  if (ref.optional) return undefined;
  throw new ContainerConfigError(`couldn't find key ${ref.key} in Secret ${pod.metadata.namespace}/${ref.name}`);
}

function fromConfigMap(ref: NonNullable<Source['configMapKeyRef']>, pod: Pod, references: References) {
  const configMap = references.configMap(ref.name);
  if (!configMap) {
    if (ref.optional) return undefined;
    throw new ContainerConfigError(`configmap "${ref.name}" not found`);
  }
  const value = configMap.data?.[ref.key];
  if (value !== undefined || ref.optional) return value;
  throw new ContainerConfigError(`couldn't find key ${ref.key} in ConfigMap ${pod.metadata.namespace}/${ref.name}`);
}

function fromField(path: string, pod: Pod, address: string): string {
  const subscript = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(path);
  if (subscript) {
    const map = subscript[1] === 'labels' ? pod.metadata.labels : pod.metadata.annotations;
    return map?.[subscript[2] ?? ''] ?? '';
  }
  const fields: Record<string, string | undefined> = {
    'metadata.name': pod.metadata.name,
    'metadata.namespace': pod.metadata.namespace,
    'metadata.uid': pod.metadata.uid,
    'spec.nodeName': pod.spec.nodeName,
    'spec.serviceAccountName': pod.spec.serviceAccountName ?? 'default',
    'status.podIP': address,
    'status.podIPs': address,
    'status.hostIP': '127.0.0.1',
  };
  if (!(path in fields)) throw new ContainerConfigError(`fieldRef "${path}" is not supported`);
  return fields[path] ?? '';
}

function valueOf(
  entry: EnvVar,
  pod: Pod,
  address: string,
  known: ReadonlyMap<string, string>,
  references: References,
): string | undefined {
  const source = entry.valueFrom;
  if (!source) return expand(entry.value ?? '', (name) => known.get(name));
  if (source.secretKeyRef) return fromSecret(source.secretKeyRef, pod, references);
  if (source.configMapKeyRef) return fromConfigMap(source.configMapKeyRef, pod, references);
  if (source.fieldRef) return fromField(source.fieldRef.fieldPath, pod, address);
  throw new ContainerConfigError(`the source of environment variable ${entry.name} is not supported`);
}

/** A container's declared environment on top of `given`; throws a ContainerConfigError for what is not there. */
export function environment(
  container: Container,
  pod: Pod,
  address: string,
  given: Readonly<Record<string, string>>,
  references: References,
): Record<string, string> {
  const known = new Map(Object.entries(given));
  for (const entry of container.env ?? []) {
    const value = valueOf(entry, pod, address, known, references);
    if (value !== undefined) known.set(entry.name, value);
  }
  return Object.fromEntries(known);
}

/** The container's command and arguments with their references replaced. */
export function commandLine(container: Container, env: Readonly<Record<string, string>>): string[] {
  const value = (name: string) => (Object.hasOwn(env, name) ? env[name] : undefined);
  return [...(container.command ?? []), ...(container.args ?? [])].map((text) => expand(text, value));
}
