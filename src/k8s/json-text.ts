// JSON as bytes that come in one after the other: where in them a text or a value ends.

export const [quote, backslash, comma, colon] = [0x22, 0x5c, 0x2c, 0x3a];
export const [openBrace, closeBrace, openBracket, closeBracket] = [0x7b, 0x7d, 0x5b, 0x5d];

/** The first byte from `at` on that is no blank. */
export function afterBlanks(json: Buffer, at: number): number {
  let next = at;
  for (let byte = json[next]; byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09; byte = json[next])
    next += 1;
  return next;
}

/** Where the text ends that begins before `at`; beyond the end when it does not. */
export function afterText(json: Buffer, at: number): number {
  const { length } = json;
  for (let next = at; next < length; next += 1) {
    const byte = json[next];
    if (byte === quote) return next + 1;
    if (byte === backslash) next += 1;
  }
  return length + 1;
}

/**
 * Where the value ends that begins at `at`, with what blanks follow a number; beyond the end when it does not. Most bytes of
 * a list go through here, so it calls nothing and has its bytes written out: what is imported or exported is looked up.
 */
export function afterValue(json: Buffer, at: number): number {
  const { length } = json;
  let depth = 0;
  for (let next = at; next < length; next += 1) {
    const byte = json[next];
    if (byte === 0x22) {
      for (next += 1; next < length; next += 1) {
        const inner = json[next];
        if (inner === 0x22) break;
        if (inner === 0x5c) next += 1;
      }
      if (depth === 0) return next + 1;
    } else if (byte === 0x7b || byte === 0x5b) depth += 1;
    else if (byte === 0x7d || byte === 0x5d) {
      if (depth === 0) return next;
      depth -= 1;
      if (depth === 0) return next + 1;
    } else if (byte === 0x2c && depth === 0) return next;
  }
  return length + 1;
}
