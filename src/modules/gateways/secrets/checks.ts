import { invalid, type SlipwayError, throwInvalid } from '../../../errors.ts';
import { maxPrincipals, usernameProblem } from '../htpasswd.ts';
import { dnsLabel, isSubdomain } from '../names.ts';
import type { Rotation } from './credentials.ts';
import type { CreateGatewaySecretInput, RotateGatewaySecretInput, SecretKind } from './service.ts';

/** SHA-1 without salt is all the gateway takes: shorter passwords can be found by trying. */
const leastPassword = 16;
const longestPassword = 256;

const clientName = /^[-._a-zA-Z0-9]{1,253}$/;

export function placeProblems({ namespace, name }: { namespace: string; name: string }, prefix = ''): SlipwayError[] {
  return [
    ...(dnsLabel.test(namespace)
      ? []
      : [invalid(`${prefix}namespace`, `"${namespace}" is no namespace.`, 'NAME_INVALID')]),
    ...(isSubdomain(name)
      ? []
      : [invalid(`${prefix}name`, `"${name}" is no name of a Secret.`, 'SECRET_NAME_INVALID')]),
  ];
}

/** Checks a new Secret's input completely: every fault with its field. */
export function checkCreate({ basic, apiKey }: CreateGatewaySecretInput): void {
  const errors: SlipwayError[] = [];
  if (basic) {
    errors.push(...placeProblems(basic, 'basic.'), ...amountProblems(basic.users.length, 'basic.users'));
    errors.push(
      ...principalProblems(
        basic.users.map(({ username }) => username),
        'BASIC',
        (i) => `basic.users.${i}.username`,
      ),
    );
    for (const [i, { password }] of basic.users.slice(0, maxPrincipals).entries()) {
      if (typeof password === 'string') errors.push(...passwordProblems(password, `basic.users.${i}.password`));
    }
  } else if (apiKey) {
    errors.push(...placeProblems(apiKey, 'apiKey.'), ...amountProblems(apiKey.clients.length, 'apiKey.clients'));
    errors.push(...principalProblems(apiKey.clients, 'API_KEY', (i) => `apiKey.clients.${i}`));
  }
  throwInvalid(errors);
}

function amountProblems(count: number, field: string): SlipwayError[] {
  if (count === 0) return [invalid(field, 'Name at least one: an empty Secret lets nobody in.', 'EMPTY')];
  if (count <= maxPrincipals) return [];
  return [invalid(field, `A Secret takes at most ${maxPrincipals} of them, not ${count}.`, 'TOO_MANY')];
}

function principalProblems(
  names: readonly string[],
  kind: SecretKind,
  field: (index: number) => string,
): SlipwayError[] {
  const seen = new Set<string>();
  return names.slice(0, maxPrincipals).flatMap((name, index) => {
    const problem = kind === 'BASIC' ? usernameProblem(name) : clientProblem(name);
    const twice = seen.has(name);
    seen.add(name);
    if (problem) return [invalid(field(index), problem, 'PRINCIPAL_INVALID')];
    return twice ? [invalid(field(index), 'It is given twice.', 'DUPLICATE')] : [];
  });
}

function clientProblem(name: string): string | null {
  if (!clientName.test(name)) {
    return 'A client becomes a key of the Secret: 1 to 253 letters, digits, "-", "_" and ".".';
  }
  // Kubernetes takes no such keys, and the gateways' own entries begin so.
  return name.startsWith('.') ? 'A client must not start with a dot.' : null;
}

function passwordProblems(password: string, field: string): SlipwayError[] {
  if (password.length < leastPassword) {
    const message =
      `A password needs at least ${leastPassword} characters: the gateway keeps it only as unsalted SHA-1. ` +
      'Leave it out to have one generated.';
    return [invalid(field, message, 'PASSWORD_TOO_SHORT')];
  }
  if (password.length > longestPassword) {
    return [invalid(field, `A password has at most ${longestPassword} characters.`, 'PASSWORD_INVALID')];
  }
  if (!password.isWellFormed() || /\p{Cc}/u.test(password)) {
    return [invalid(field, 'A password must not have control characters or broken ones.', 'PASSWORD_INVALID')];
  }
  return [];
}

/** Resolves a rotation's input against who is in the Secret. */
export function checkRotation(input: RotateGatewaySecretInput, kind: SecretKind, present: readonly string[]): Rotation {
  const errors: SlipwayError[] = [];
  const known = new Set(present);
  const [add, remove] = [input.add ?? [], input.remove ?? []];
  const going = new Set(remove);
  const expectKnown = (names: readonly string[], field: string) => {
    for (const [i, name] of names.entries()) {
      if (!known.has(name))
        errors.push(invalid(`${field}.${i}`, `"${name}" is not in the Secret.`, 'PRINCIPAL_NOT_FOUND'));
    }
  };
  expectKnown(input.principals ?? [], 'principals');
  expectKnown(remove, 'remove');
  for (const [i, name] of (input.principals ?? []).entries()) {
    if (going.has(name)) errors.push(invalid(`principals.${i}`, `"${name}" is to be removed, too.`, 'CONTRADICTION'));
  }
  errors.push(...principalProblems(add, kind, (i) => `add.${i}`));
  for (const [i, name] of add.entries()) {
    if (known.has(name)) errors.push(invalid(`add.${i}`, `"${name}" is already in the Secret.`, 'PRINCIPAL_EXISTS'));
  }
  const rest = present.length - [...going].filter((name) => known.has(name)).length + add.length;
  if (rest <= 0) errors.push(invalid('remove', 'Nobody would be left: delete the Secret instead.', 'EMPTY'));
  else if (rest > maxPrincipals) errors.push(...amountProblems(rest, 'add'));
  throwInvalid(errors);
  const renew = input.principals ?? present.filter((name) => !going.has(name));
  return { renew: [...new Set(renew)], add, remove: [...going] };
}
