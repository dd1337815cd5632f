import { randomUUID } from 'node:crypto';
import { chmod, chown, open, readFile, realpath, rename, rm, stat, unlink, writeFile } from 'node:fs/promises';
import { type Document, isMap, isSeq, parseDocument } from 'yaml';

/** The configuration of a user's auth-provider as the file has it now; null: it can't be read, or there is none. */
export async function readAuthProvider(file: string, user: string): Promise<Record<string, unknown> | null> {
  try {
    const document = parseDocument(await readFile(file, 'utf8'));
    const path = pathOf(document, user);
    const config = path && (document.toJS() as unknown);
    return path
      ? (path.reduce((value, key) => Object(value)[key] as unknown, config) as Record<string, unknown>)
      : null;
  } catch {
    return null; // another program may be about to write it
  }
}

/**
 * Writes values of a user's auth-provider into the kubeconfig, all else as it is, comments too: under the lock that kubectl
 * takes, and by a new file in place of the old one, so that nobody ever sees half of it. Rejects with the error of the file
 * system, `EEXIST` where somebody else has the lock.
 */
export async function writeAuthProvider(file: string, user: string, values: Record<string, string>): Promise<void> {
  const lock = `${file}.lock`;
  await (await open(lock, 'wx', 0o600)).close();
  try {
    const path = await realpath(file);
    const text = await readFile(path, 'utf8');
    await replace(path, changed(text, user, values));
  } finally {
    await unlink(lock);
  }
}

async function replace(path: string, text: string): Promise<void> {
  const { mode, uid, gid } = await stat(path);
  const next = `${path}.${randomUUID()}`;
  try {
    await writeFile(next, text, { mode: 0o600, flag: 'wx' });
    const own = await stat(next);
    if (own.uid !== uid || own.gid !== gid) await chown(next, uid, gid);
    await chmod(next, mode);
    await rename(next, path);
  } catch (error) {
    await rm(next, { force: true });
    throw error;
  }
}

function changed(text: string, user: string, values: Record<string, string>): string {
  const document = parseDocument(text);
  const path = pathOf(document, user);
  if (!path) throw new Error('the user is not there any more');
  for (const [key, value] of Object.entries(values)) {
    const scalar = document.createNode(value);
    // A bare word may be something else to the YAML of others.
    scalar.type = 'QUOTE_DOUBLE';
    document.setIn([...path, key], scalar);
  }
  if (text.trimStart().startsWith('{')) return `${JSON.stringify(document.toJS(), null, 2)}\n`;
  return document.toString({ lineWidth: 0 });
}

function pathOf(document: Document, user: string): (string | number)[] | null {
  const users = document.get('users');
  if (!isSeq(users)) return null;
  const index = users.items.findIndex((item) => isMap(item) && item.get('name') === user);
  const path = ['users', index, 'user', 'auth-provider', 'config'];
  return index >= 0 && isMap(document.getIn(path)) ? path : null;
}
