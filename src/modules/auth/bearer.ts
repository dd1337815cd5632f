import { SlipwayError } from '../../errors.ts';

/** RFC 6750: one blank, and of token68 only what a signed JWT in compact form has. */
const bearer = /^Bearer ([\w-]+\.[\w-]+\.[\w-]+)$/i;

/** More than fits a request's headers anyway. */
const longestToken = 16_384;

export function signInFirst(): SlipwayError {
  return new SlipwayError('UNAUTHENTICATED', 'Sign in first: this needs a valid access token.');
}

/** Of why a token is refused, the one who shows it learns nothing. */
export function notValid(): SlipwayError {
  return new SlipwayError('UNAUTHENTICATED', 'The access token is not valid here, or no longer: sign in again.');
}

/**
 * The token of a request: from its `Authorization` header, or over WebSocket from the member of that name of
 * `connectionParams`. In both at once it is in neither: one of the two would win, and not always the one that was checked.
 */
export function bearerToken(headers: Headers, connectionParams: Readonly<Record<string, unknown>> = {}): string {
  const given = Object.entries(connectionParams)
    .filter(([name]) => name.toLowerCase() === 'authorization')
    .map(([, value]) => value);
  const inHeader = headers.get('authorization');
  if (inHeader !== null) given.push(inHeader);
  if (given.length === 0) throw signInFirst();
  const [value] = given;
  const token = given.length === 1 && typeof value === 'string' ? bearer.exec(value)?.[1] : undefined;
  if (token === undefined || token.length > longestToken) throw notValid();
  return token;
}
