import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createLog } from '../../src/log.ts';
import { type GraphQLAnswer, startTestServer, type TestServer } from '../../src/testing.ts';

const secret = 'harbour-lantern-7-otter-quay';
let server: TestServer;
let logged = '';
beforeAll(async () => {
  server = await startTestServer({ log: createLog('trace', { write: (line: string) => void (logged += line) }) });
});
afterAll(() => server.stop());

const mutation = `mutation ($input: CreateGatewaySecretInput!) { createGatewaySecret(input: $input) { secret { name } } }`;
const place = { namespace: 'default', name: 'users' };
const user = { username: 'maria', password: secret };

/** What was wrong with an operation. Nothing of what was given shows, whoever asks. */
async function refusals(document: string, variables?: Record<string, unknown>): Promise<string[]> {
  const answer = await server.query(document, variables);
  const value: GraphQLAnswer = await server
    .subscribe(document, variables)
    .next()
    .then(
      (result) => result.value as GraphQLAnswer,
      (errors: GraphQLAnswer['errors']) => ({ ...(errors && { errors }) }),
    );
  for (const one of [answer, value]) expect(JSON.stringify(one)).not.toContain(secret);
  expect(logged).not.toContain(secret);
  const said = (one: GraphQLAnswer) =>
    (one.errors ?? []).map(({ message, extensions }) => [message, extensions['code']]);
  expect(said(value)).toEqual(said(answer));
  return (answer.errors ?? []).map(({ message, extensions }) => {
    expect(extensions['code']).toBe('INVALID');
    return message;
  });
}

describe('a value that does not fit is not shown, but where it stands and what is expected', () => {
  const at = (path: string, message: string) => [`Variable "$input" has invalid value at ${path}: ${message}`];
  test.each<[string, object, string[]]>([
    [
      'a field is missing',
      { basic: { ...place, users: [{ password: secret }] } },
      at('.basic.users[0]', 'Expected value of type "BasicUserInput" to include required field "username".'),
    ],
    [
      'a field is not known',
      { basic: { ...place, users: [{ ...user, more: 1 }] } },
      at('.basic.users[0]', 'Expected value of type "BasicUserInput" not to include unknown field "more".'),
    ],
    [
      'a field is misspelt',
      { basic: { ...place, users: [{ username: 'maria', pasword: secret }] } },
      at(
        '.basic.users[0]',
        'Expected value of type "BasicUserInput" not to include unknown field "pasword". Did you mean "password"?',
      ),
    ],
    [
      'a list for a string',
      { basic: { ...place, users: [{ ...user, password: [secret] }] } },
      at('.basic.users[0].password', 'String cannot represent a non string value.'),
    ],
    [
      'a string for an object',
      { basic: { ...place, users: secret } },
      at('.basic.users', 'Expected value of type "BasicUserInput" to be an object.'),
    ],
  ])('in a variable: %s', async (_, input, expected) => {
    expect(await refusals(mutation, { input })).toEqual(expected);
  });

  const document = (users: string) =>
    `mutation { createGatewaySecret(input: { basic: { namespace: "default", name: "users", users: ${users} } }) { secret { name } } }`;
  test.each([
    [`[{ password: "${secret}" }]`, 'Expected value of type "BasicUserInput" to include required field "username".'],
    [`[{ username: "maria", password: ["${secret}"] }]`, 'String cannot represent a non string value.'],
    [
      `[{ username: "maria", pasword: "${secret}" }]`,
      'Expected value of type "BasicUserInput" not to include unknown field "pasword". Did you mean "password"?',
    ],
    [`[{ username: "maria" "${secret}" }]`, 'Syntax Error: Expected Name, found String.'],
    [`[{ username: "maria" """${secret}""" }]`, 'Syntax Error: Expected Name, found BlockString.'],
  ])('in the document: %s', async (users, expected) => {
    expect(await refusals(document(users))).toEqual([expected]);
  });

  test.each(['Int', 'Float', 'Boolean'])('as the default of a variable of type %s', async (type) => {
    const [refusal] = await refusals(`query ($p: ${type} = "${secret}") { viewer @include(if: $p) { name } }`);
    expect(refusal).toMatch(new RegExp(`^${type} cannot represent [a-z -]*value\\.$`));
  });
});

test('a misspelt value of an enum is shown, with the one that is meant', async () => {
  const query = 'query ($phase: [GatewayPhase!]) { gateways(filter: { phase: $phase }) { totalCount } }';
  expect(await refusals(query, { phase: ['REDY'] })).toEqual([
    'Variable "$phase" has invalid value at [0]: Value "REDY" does not exist in "GatewayPhase" enum. Did you mean the enum ' +
      'value "READY"?',
  ]);
});
