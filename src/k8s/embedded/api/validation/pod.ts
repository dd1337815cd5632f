import type { Container, EnvVar, PodSpec, Probe } from '../../../resources.ts';
import { parseQuantity } from '../../../quantity.ts';
import type { FieldError } from '../status.ts';
import { duplicateValue, forbiddenField, invalidValue, requiredValue, unsupportedValue } from './field-errors.ts';
import { labelProblems, subdomainProblems } from './names.ts';

const portNumberText = 'must be between 1 and 65535, inclusive';
const protocols = ['SCTP', 'TCP', 'UDP'];

export function validatePort(port: unknown, field: string): FieldError[] {
  const valid = typeof port === 'number' && port >= 1 && port <= 65535;
  return valid ? [] : [invalidValue(field, port ?? 0, portNumberText)];
}

/** A port by number or by an IANA service name. */
export function validatePortNumberOrName(port: unknown, field: string): FieldError[] {
  if (typeof port !== 'string') return validatePort(port, field);
  return portNameProblems(port).map((problem) => invalidValue(field, port, problem));
}

function portNameProblems(name: string): string[] {
  const problems: string[] = [];
  if (name.length > 15) problems.push('must be no more than 15 characters');
  if (!/^[-a-z0-9]+$/.test(name))
    problems.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)');
  if (!/[a-z]/.test(name)) problems.push('must contain at least one letter (a-z)');
  if (name.includes('--')) problems.push('must not contain consecutive hyphens');
  if (name.startsWith('-') || name.endsWith('-')) problems.push('must not begin or end with a hyphen');
  return problems;
}

export function validateProtocol(protocol: string | undefined, field: string): FieldError[] {
  if (!protocol) return [requiredValue(field)];
  return protocols.includes(protocol) ? [] : [unsupportedValue(field, protocol, protocols)];
}

export function nonNegative(value: number | undefined, field: string): FieldError[] {
  return value !== undefined && value < 0 ? [invalidValue(field, value, 'must be greater than or equal to 0')] : [];
}

/** What is wrong with the containers, ports, environment and probes of a Pod. */
export function validatePodSpec(spec: PodSpec, field: string): FieldError[] {
  const containers = spec.containers ?? [];
  const names = [...(spec.initContainers ?? []), ...containers].map(({ name }) => name);
  const errors: FieldError[] = containers.length === 0 ? [requiredValue(`${field}.containers`)] : [];
  for (const key of ['initContainers', 'containers'] as const) {
    for (const [index, container] of (spec[key] ?? []).entries()) {
      const at = `${field}.${key}[${index}]`;
      errors.push(...validateContainer(container, at));
      const position = key === 'containers' ? (spec.initContainers?.length ?? 0) + index : index;
      if (container.name && names.indexOf(container.name) < position)
        errors.push(duplicateValue(`${at}.name`, container.name));
    }
  }
  const policies = ['Always', 'OnFailure', 'Never'];
  if (!policies.includes(spec.restartPolicy ?? '')) {
    errors.push(unsupportedValue(`${field}.restartPolicy`, spec.restartPolicy ?? '', policies));
  }
  if (spec.serviceAccountName) {
    errors.push(
      ...subdomainProblems(spec.serviceAccountName).map((problem) =>
        invalidValue(`${field}.serviceAccountName`, spec.serviceAccountName, problem),
      ),
    );
  }
  return [
    ...errors,
    ...validateMounts(spec, field),
    ...nonNegative(spec.terminationGracePeriodSeconds, `${field}.terminationGracePeriodSeconds`),
  ];
}

function validateContainer(container: Container, field: string): FieldError[] {
  const { name, image } = container;
  const pullPolicy = (container as { imagePullPolicy?: string }).imagePullPolicy ?? '';
  const policies = ['Always', 'IfNotPresent', 'Never'];
  return [
    ...(name
      ? labelProblems(name).map((problem) => invalidValue(`${field}.name`, name, problem))
      : [requiredValue(`${field}.name`)]),
    ...validateImage(image, `${field}.image`),
    ...(policies.includes(pullPolicy) ? [] : [unsupportedValue(`${field}.imagePullPolicy`, pullPolicy, policies)]),
    ...validatePorts(container, `${field}.ports`),
    ...(container.env ?? []).flatMap((env, index) => validateEnv(env, `${field}.env[${index}]`)),
    ...validateResources(container, `${field}.resources`),
    ...(['livenessProbe', 'readinessProbe', 'startupProbe'] as const).flatMap((key) =>
      validateProbe(container[key], `${field}.${key}`, key),
    ),
  ];
}

function validateImage(image: string | undefined, field: string): FieldError[] {
  if (!image) return [requiredValue(field)];
  return image.trim() === image ? [] : [invalidValue(field, image, 'must not have leading or trailing whitespace')];
}

function validatePorts({ ports = [] }: Container, field: string): FieldError[] {
  return ports.flatMap(({ name, containerPort, protocol }, index) => {
    const at = `${field}[${index}]`;
    const taken = name !== undefined && ports.findIndex((each) => each.name === name) < index;
    return [
      ...(name ? portNameProblems(name).map((problem) => invalidValue(`${at}.name`, name, problem)) : []),
      ...(taken ? [duplicateValue(`${at}.name`, name)] : []),
      ...(containerPort ? validatePort(containerPort, `${at}.containerPort`) : [requiredValue(`${at}.containerPort`)]),
      ...validateProtocol(protocol, `${at}.protocol`),
    ];
  });
}

function validateEnv({ name, value, valueFrom }: EnvVar, field: string): FieldError[] {
  const errors: FieldError[] = [];
  if (!name) errors.push(requiredValue(`${field}.name`));
  else if (!/^[ -<>-~]+$/.test(name)) {
    errors.push(
      invalidValue(
        `${field}.name`,
        name,
        "a valid environment variable name must consist only of printable ASCII characters other than '='",
      ),
    );
  }
  if (!valueFrom) return errors;
  const sources = Object.keys(valueFrom).length;
  if (sources === 0) {
    errors.push(
      invalidValue(
        `${field}.valueFrom`,
        '',
        'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`',
      ),
    );
  } else if (value) {
    errors.push(invalidValue(`${field}.valueFrom`, '', 'may not be specified when `value` is not empty'));
  } else if (sources > 1) {
    errors.push(invalidValue(`${field}.valueFrom`, '', 'may not have more than one field specified at a time'));
  }
  for (const key of ['secretKeyRef', 'configMapKeyRef'] as const) {
    const reference = valueFrom[key];
    if (reference && !reference.name) errors.push(requiredValue(`${field}.valueFrom.${key}.name`));
    if (reference && !reference.key) errors.push(requiredValue(`${field}.valueFrom.${key}.key`));
  }
  return errors;
}

function validateResources({ resources }: Container, field: string): FieldError[] {
  return Object.entries(resources?.requests ?? {}).flatMap(([name, request]) => {
    const limit = resources?.limits?.[name];
    if (limit === undefined || parseQuantity(request) <= parseQuantity(limit)) return [];
    return [invalidValue(`${field}.requests`, request, `must be less than or equal to ${name} limit of ${limit}`)];
  });
}

function validateProbe(probe: Probe | undefined, field: string, kind: string): FieldError[] {
  if (!probe) return [];
  const handlers = ['exec', 'httpGet', 'tcpSocket', 'grpc'].filter((key) => key in probe);
  const errors: FieldError[] = handlers.length === 0 ? [requiredValue(field, 'must specify a handler type')] : [];
  for (const extra of handlers.slice(1))
    errors.push(forbiddenField(`${field}.${extra}`, 'may not specify more than 1 handler type'));
  if (probe.httpGet) {
    if (!probe.httpGet.path) errors.push(requiredValue(`${field}.httpGet.path`));
    errors.push(...validatePortNumberOrName(probe.httpGet.port, `${field}.httpGet.port`));
    const schemes = ['HTTP', 'HTTPS'];
    const scheme = probe.httpGet.scheme ?? '';
    if (!schemes.includes(scheme)) errors.push(unsupportedValue(`${field}.httpGet.scheme`, scheme, schemes));
  }
  if (probe.tcpSocket) errors.push(...validatePortNumberOrName(probe.tcpSocket.port, `${field}.tcpSocket.port`));
  if (probe.exec && (probe.exec.command ?? []).length === 0) errors.push(requiredValue(`${field}.exec.command`));
  for (const key of [
    'initialDelaySeconds',
    'timeoutSeconds',
    'periodSeconds',
    'successThreshold',
    'failureThreshold',
  ] as const) {
    errors.push(...nonNegative(probe[key], `${field}.${key}`));
  }
  if (kind !== 'readinessProbe' && probe.successThreshold !== 1) {
    errors.push(invalidValue(`${field}.successThreshold`, probe.successThreshold ?? 0, 'must be 1'));
  }
  return errors;
}

/** Every mount names a volume of the Pod. */
function validateMounts(spec: PodSpec, field: string): FieldError[] {
  const volumes = ((spec as { volumes?: { name: string }[] }).volumes ?? []).map(({ name }) => name);
  const errors = volumes.flatMap((name, index): FieldError[] => {
    const at = `${field}.volumes[${index}].name`;
    if (!name) return [requiredValue(at)];
    if (volumes.indexOf(name) < index) return [duplicateValue(at, name)];
    return labelProblems(name).map((problem) => invalidValue(at, name, problem));
  });
  for (const key of ['initContainers', 'containers'] as const) {
    for (const [index, container] of (spec[key] ?? []).entries()) {
      const mounts = (container as { volumeMounts?: { name: string; mountPath: string }[] }).volumeMounts ?? [];
      for (const [place, mount] of mounts.entries()) {
        const at = `${field}.${key}[${index}].volumeMounts[${place}]`;
        if (!mount.name) errors.push(requiredValue(`${at}.name`));
        else if (!volumes.includes(mount.name)) {
          errors.push({
            reason: 'FieldValueNotFound',
            field: `${at}.name`,
            message: `Not found: ${JSON.stringify(mount.name)}`,
          });
        }
        if (!mount.mountPath) errors.push(requiredValue(`${at}.mountPath`));
      }
    }
  }
  return errors;
}
