/** Global ids: base64url of `Type:local`. Opaque to clients, the same on every replica. */
export function globalId(typename: string, local: string): string {
  return Buffer.from(`${typename}:${local}`).toString('base64url');
}

/** The two parts of a global id; null for anything that is none. */
export function parseGlobalId(id: string): { typename: string; local: string } | null {
  const text = Buffer.from(id, 'base64url').toString();
  const colon = text.indexOf(':');
  if (colon < 1 || globalId(text.slice(0, colon), text.slice(colon + 1)) !== id) return null;
  return { typename: text.slice(0, colon), local: text.slice(colon + 1) };
}

/** What an id of this type would name; null when it begins as another's. Whose id it is has to be seen by the object. */
export function localPart(typename: string, id: string): string | null {
  const text = Buffer.from(id, 'base64url').toString();
  return text.startsWith(`${typename}:`) ? text.slice(typename.length + 1) : null;
}
