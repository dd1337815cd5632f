import { createHash, randomBytes } from 'node:crypto';

/** Why something can't serve: a machine word and a plain sentence. */
export interface Fault {
  reason: string;
  message: string;
}

export interface HtpasswdEntry {
  username: string;
  /** As written after the first colon. */
  hash: string;
}

export const maxPrincipals = 1000;

/** Envoy takes nothing but unsalted SHA-1, so only long random passwords are safe in it. */
export function shaEntry(username: string, password: string): HtpasswdEntry {
  return { username, hash: `{SHA}${createHash('sha1').update(password, 'utf8').digest('base64')}` };
}

export function formatHtpasswd(entries: readonly HtpasswdEntry[]): string {
  return entries.map(({ username, hash }) => `${username}:${hash}\n`).join('');
}

/** A password or API key: 256 bits in 43 characters that need no quoting. */
export const generateCredential = (): string => randomBytes(32).toString('base64url');

/** Why a user name can't stand in an htpasswd file; null when it can. */
export function usernameProblem(username: string): string | null {
  if (username === '') return 'A user name must not be empty.';
  if (username.length > 255) return 'A user name has at most 255 characters.';
  // oxlint-disable-next-line no-control-regex -- control characters are what must be found
  if (/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/.test(username)) return 'A user name must not have control characters.';
  if (username.includes(':')) return 'A user name must not have a colon: it ends the name in the password file.';
  if (username.startsWith('#')) return 'A user name must not start with "#": it starts a comment in the password file.';
  return username.trim() === username ? null : 'A user name must not start or end with a blank.';
}

const shaHash = /^\{SHA\}[A-Za-z0-9+/]{27}=$/;

/** Why what follows a user name can't be a hash; null when it can. */
type HashFault = (hash: string) => Fault | null;

/** The entries of an htpasswd file, read as strictly as Envoy does: one bad line freezes the listener for everybody. */
export function parseHtpasswd(
  text: string,
  hashFault: HashFault = shaFault,
): { entries: HtpasswdEntry[]; fault: Fault | null } {
  const entries: HtpasswdEntry[] = [];
  const users = new Set<string>();
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  let fault: Fault | null = lines.length === 0 ? { reason: 'SECRET_EMPTY', message: 'It has no users.' } : null;
  for (const [i, line] of lines.entries()) {
    const colon = line.indexOf(':');
    const username = colon > 0 ? line.slice(0, colon) : '';
    const problem = lineFault(line, username, users) ?? hashFault(line.slice(colon + 1));
    if (problem) fault ??= { ...problem, message: `Line ${i + 1}: ${problem.message}` };
    if (username && !problem) entries.push({ username, hash: line.slice(colon + 1) });
    users.add(username);
  }
  return { entries, fault };
}

function lineFault(line: string, username: string, seen: ReadonlySet<string>): Fault | null {
  const malformed = (message: string): Fault => ({ reason: 'SECRET_MALFORMED', message });
  if (line.endsWith('\r')) return malformed('it ends with CR LF. Use LF line ends.');
  if (line.trim() === '') return malformed('it is empty. Remove it.');
  if (line.startsWith('#')) return malformed('it is a comment. Remove it.');
  if (!username) return malformed('it must be user:{SHA}hash.');
  if (usernameProblem(username)) return malformed('its user name has blanks around it or control characters.');
  if (seen.has(username)) return malformed('its user was named before. Keep one line for each user.');
  return null;
}

/** Unsalted SHA-1 is the only hash that Envoy takes. */
function shaFault(hash: string): Fault | null {
  if (!hash.startsWith('{SHA}')) {
    const message = 'its password is not hashed as {SHA}, the only form Envoy takes. Make it with htpasswd -s.';
    return { reason: 'SECRET_NOT_SHA', message };
  }
  if (shaHash.test(hash) && Buffer.from(hash.slice(5), 'base64').length === 20) return null;
  const message =
    'what follows {SHA} must be the base64 of 20 bytes (28 characters), not hex and with nothing after it.';
  return { reason: 'SECRET_NOT_SHA', message };
}

const bcrypt = /^\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}$/;
const apr1 = /^\$apr1\$[^$]{1,8}\$[./A-Za-z0-9]{22}$/;

/** What Traefik takes: also salted hashes. */
export function anyHashFault(hash: string): Fault | null {
  if (hash.startsWith('{SHA}')) return shaFault(hash);
  if (bcrypt.test(hash) || apr1.test(hash)) return null;
  return { reason: 'SECRET_MALFORMED', message: 'its password must be hashed with bcrypt, APR1 or {SHA}.' };
}
