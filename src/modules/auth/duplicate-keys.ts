const tokens = /"(?:[^"\\]|\\.)*"|[{}[\]:]/g;

/**
 * Whether an object in this (valid) JSON names a member twice. Parsers differ in which of the two they take, so what is
 * signed would mean one thing to the issuer and another to us.
 */
export function hasDuplicateKeys(json: string): boolean {
  const open: (Set<string> | null)[] = [];
  let last = '';
  for (const [token] of json.matchAll(tokens)) {
    if (token === '{') open.push(new Set());
    else if (token === '[') open.push(null);
    else if (token === '}' || token === ']') open.pop();
    else if (token === ':') {
      const keys = open.at(-1);
      const key = JSON.parse(last) as string;
      if (keys?.has(key)) return true;
      keys?.add(key);
    } else last = token;
  }
  return false;
}
