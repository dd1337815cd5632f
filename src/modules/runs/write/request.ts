import { parseQuantity } from '../../../k8s/quantity.ts';
import { SlipwayError, invalid, throwInvalid } from '../../../errors.ts';
import type { EnvVar } from '../../../k8s/resources.ts';
import type { RunServiceInput as RunServiceInputRef } from '../schema/inputs.ts';
import type { ServiceProtocol } from '../service.ts';
import {
  isDnsLabel,
  isDnsName,
  isEnvName,
  isHttpPath,
  isIdempotencyKey,
  isImage,
  isLabelKey,
  isLabelValue,
  isPortName,
  isPortNumber,
  isReservedLabelKey,
  isSecretKey,
  isServiceName,
} from './syntax.ts';
import { processImage } from '../labels.ts';

export type RunServiceInput = ReturnType<typeof RunServiceInputRef>['$inferInput'];

/** A checked input without gaps: what the objects are made of. */
export interface RunRequest {
  name: string;
  namespace: string;
  project: string | null;
  function: string | null;
  image: string;
  command: string[];
  args: string[];
  workingDir: string | null;
  env: EnvVar[];
  ports: { name: string; port: number; targetPort: number }[];
  replicas: number;
  resources: { requests: Record<string, string>; limits: Record<string, string> };
  readinessPath: string | null;
  protocol: ServiceProtocol;
  model: string | null;
  labels: Record<string, string>;
}

export interface RequestRules {
  /** Where a run goes that names no namespace. */
  namespace: string;
  watchedNamespaces: readonly string[] | null;
  maxReplicas: number;
  /** Whether local programs can be run. */
  embedded: boolean;
}

const maxPorts = 32;

/** Checks an input completely: all that is wrong is said at once, each with its field. */
export function checkRequest(input: RunServiceInput, rules: RequestRules): RunRequest {
  const errors: SlipwayError[] = [];
  const expect = (holds: boolean, field: string, message: string, reason?: string): boolean => {
    if (!holds) errors.push(invalid(field, message, reason));
    return holds;
  };
  const namespace = input.namespace ?? rules.namespace;
  const replicas = input.replicas ?? 1;
  checkNames(input, namespace, rules, expect);
  expect(
    replicas >= 0 && replicas <= rules.maxReplicas,
    'replicas',
    `"replicas" must be from 0 to ${rules.maxReplicas}, not ${replicas}.`,
    'OUT_OF_RANGE',
  );
  checkProgram(input, rules, expect, errors);
  const request: RunRequest = {
    name: input.name,
    namespace,
    project: input.project ?? null,
    function: input.function ?? null,
    image: input.process ? processImage : (input.image ?? ''),
    command: [...(input.process?.command ?? input.command ?? [])],
    args: [...(input.args ?? [])],
    workingDir: input.process?.cwd ?? null,
    env: checkEnv(input.env ?? [], expect),
    ports: checkPorts(input.ports, expect),
    replicas,
    resources: checkResources(input.resources ?? {}, expect),
    readinessPath: input.readinessPath ?? null,
    protocol: input.protocol ?? 'HTTP',
    model: input.model ?? null,
    labels: checkLabels(input.labels ?? [], expect),
  };
  throwInvalid(errors);
  return request;
}

type Expect = (holds: boolean, field: string, message: string, reason?: string) => boolean;

function checkNames(input: RunServiceInput, namespace: string, rules: RequestRules, expect: Expect): void {
  expect(
    isServiceName(input.name),
    'name',
    `"${input.name}" can't be a name: use at most 63 lower-case letters, digits and dashes, beginning with a letter.`,
    'NAME_SYNTAX',
  );
  if (expect(isDnsLabel(namespace), 'namespace', `"${namespace}" can't be a namespace.`, 'NAME_SYNTAX')) {
    expect(
      rules.watchedNamespaces?.includes(namespace) ?? true,
      'namespace',
      `This server only looks after ${rules.watchedNamespaces?.join(', ')}, not ${namespace}.`,
      'NAMESPACE_NOT_WATCHED',
    );
  }
  for (const field of ['project', 'function'] as const) {
    const value = input[field];
    if (value === null || value === undefined) continue;
    expect(
      value !== '' && isLabelValue(value),
      field,
      `"${field}" becomes a label: 1 to 63 letters, digits, "-", "_" and ".", beginning and ending with a letter or digit.`,
      'LABEL_SYNTAX',
    );
  }
  const { readinessPath, model, idempotencyKey } = input;
  expect(
    readinessPath === null || readinessPath === undefined || isHttpPath(readinessPath),
    'readinessPath',
    '"readinessPath" must be a path such as "/health", beginning with "/" and without blanks.',
    'PATH_SYNTAX',
  );
  expect(
    model === null || model === undefined || (model.trim() !== '' && model.length <= 253 && !/\p{C}/u.test(model)),
    'model',
    '"model" must have 1 to 253 printable characters.',
  );
  expect(
    idempotencyKey === null || idempotencyKey === undefined || isIdempotencyKey(idempotencyKey),
    'idempotencyKey',
    '"idempotencyKey" must have 8 to 128 printable characters.',
  );
}

function checkProgram(input: RunServiceInput, rules: RequestRules, expect: Expect, errors: SlipwayError[]): void {
  const { image, process } = input;
  const hasImage = image !== null && image !== undefined;
  if (!process) {
    if (!expect(hasImage, 'image', 'Give an image, or a process on the embedded cluster.', 'IMAGE_OR_PROCESS')) return;
    expect(isImage(image ?? ''), 'image', `"${image}" can't be the name of an image.`, 'IMAGE_SYNTAX');
    expect(image !== processImage, 'image', 'To run a local program, give "process".', 'IMAGE_OR_PROCESS');
    return;
  }
  if (!rules.embedded) {
    const message = 'Local programs run on the embedded cluster only: give an image.';
    errors.push(new SlipwayError('NOT_SUPPORTED', message, { field: 'process' }));
  }
  expect(!hasImage, 'process', 'Give an image or a process, not both.', 'IMAGE_OR_PROCESS');
  expect(
    process.command.length > 0 && process.command[0] !== '',
    'process.command',
    'Name the program to run.',
    'EMPTY',
  );
  expect(!process.command.some(hasNul), 'process.command', 'The command must not contain NUL characters.');
  const { cwd } = process;
  expect(
    cwd === null || cwd === undefined || (isAbsolute(cwd) && !hasNul(cwd)),
    'process.cwd',
    'The working folder must be an absolute path.',
    'PATH_SYNTAX',
  );
  for (const field of ['command', 'args'] as const) {
    expect(!input[field]?.length, field, `With a process, put everything into "process.command", not "${field}".`);
  }
}

const hasNul = (text: string): boolean => text.includes('\0');
const isAbsolute = (path: string): boolean => path.startsWith('/') || /^[A-Za-z]:[\\/]/.test(path);

function checkEnv(input: NonNullable<RunServiceInput['env']>, expect: Expect): EnvVar[] {
  const seen = new Set<string>();
  return input.map(({ name, value, secret }, index) => {
    const field = `env.${index}`;
    expect(isEnvName(name), `${field}.name`, `"${name}" can't be the name of an environment variable.`, 'NAME_SYNTAX');
    expect(!seen.has(name), `${field}.name`, `The environment variable ${name} is given twice.`, 'DUPLICATE');
    seen.add(name);
    const hasValue = value !== null && value !== undefined;
    expect(hasValue !== Boolean(secret), field, `Give ${name} either a value or a secret.`, 'VALUE_OR_SECRET');
    if (hasValue) expect(!hasNul(value), `${field}.value`, `The value of ${name} must not contain NUL characters.`);
    if (!secret) return { name, value: value ?? '' };
    expect(isDnsName(secret.name), `${field}.secret.name`, `"${secret.name}" can't be a Secret.`, 'NAME_SYNTAX');
    expect(
      isSecretKey(secret.key),
      `${field}.secret.key`,
      `"${secret.key}" can't be a key of a Secret.`,
      'NAME_SYNTAX',
    );
    return { name, valueFrom: { secretKeyRef: { name: secret.name, key: secret.key } } };
  });
}

function checkPorts(input: RunServiceInput['ports'], expect: Expect): RunRequest['ports'] {
  expect(input.length > 0, 'ports', 'Give at least one port.', 'EMPTY');
  expect(input.length <= maxPorts, 'ports', `Give at most ${maxPorts} ports.`, 'OUT_OF_RANGE');
  const numbers = new Set<number>();
  const names = new Set<string>();
  return input.map(({ name: given, port, targetPort: target }, index) => {
    const field = `ports.${index}`;
    const name = given ?? `port-${port}`;
    const targetPort = target ?? port;
    expect(isPortNumber(port), `${field}.port`, `A port is from 1 to 65535, not ${port}.`, 'OUT_OF_RANGE');
    if (target !== null && target !== undefined) {
      expect(isPortNumber(target), `${field}.targetPort`, `A port is from 1 to 65535, not ${target}.`, 'OUT_OF_RANGE');
    }
    expect(!numbers.has(port), `${field}.port`, `Port ${port} is given twice.`, 'DUPLICATE');
    numbers.add(port);
    if (given !== null && given !== undefined) {
      expect(
        isPortName(given),
        `${field}.name`,
        `"${given}" can't name a port: at most 15 lower-case letters, digits and single dashes.`,
        'NAME_SYNTAX',
      );
    }
    expect(!names.has(name), `${field}.name`, `Two ports are named ${name}.`, 'DUPLICATE');
    names.add(name);
    return { name, port, targetPort };
  });
}

function checkResources(input: NonNullable<RunServiceInput['resources']>, expect: Expect): RunRequest['resources'] {
  const requests: Record<string, string> = {};
  const limits: Record<string, string> = {};
  for (const kind of ['cpu', 'memory'] as const) {
    const [request, limit] = [input[kind], input[`${kind}Limit`]];
    const [least, most] = [
      amount(request, `resources.${kind}`, expect),
      amount(limit, `resources.${kind}Limit`, expect),
    ];
    if (request) requests[kind] = request;
    if (limit) limits[kind] = limit;
    if (least === null || most === null) continue;
    expect(
      least <= most,
      `resources.${kind}Limit`,
      `The limit of ${kind} (${limit}) is below what is asked for (${request}).`,
      'OUT_OF_RANGE',
    );
  }
  return { requests, limits };
}

function amount(text: string | null | undefined, field: string, expect: Expect): number | null {
  if (text === null || text === undefined) return null;
  const value = parseQuantity(text);
  const known = !Number.isNaN(value) && value >= 0;
  expect(known, field, `"${text}" is no quantity: write it like 250m, 2, 512Mi or 1.5Gi.`, 'QUANTITY_SYNTAX');
  return known ? value : null;
}

function checkLabels(input: NonNullable<RunServiceInput['labels']>, expect: Expect): Record<string, string> {
  const labels = new Map<string, string>();
  for (const [index, { key, value }] of input.entries()) {
    const field = `labels.${index}`;
    expect(isLabelKey(key), `${field}.key`, `"${key}" can't be the key of a label.`, 'LABEL_SYNTAX');
    expect(!isReservedLabelKey(key), `${field}.key`, `Labels such as ${key} are reserved.`, 'LABEL_RESERVED');
    expect(!labels.has(key), `${field}.key`, `The label ${key} is given twice.`, 'DUPLICATE');
    expect(isLabelValue(value), `${field}.value`, `"${value}" can't be the value of a label.`, 'LABEL_SYNTAX');
    labels.set(key, value);
  }
  return Object.fromEntries(labels);
}
