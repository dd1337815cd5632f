interface Frame {
  path: string;
  /** Of an object: the members so far. */
  keys: Set<string> | undefined;
  /** The member whose value comes next; undefined while a name is expected. */
  key: string | undefined;
  index: number;
}

const token = /"(?:[^"\\]|\\.)*"|[{}[\],:]/g;

/** Paths of the members that a valid JSON text gives more than once: parsing keeps the last and says nothing. */
export function duplicateFields(text: string): string[] {
  const found = new Set<string>();
  const frames: Frame[] = [];
  for (const [symbol] of text.matchAll(token)) {
    const top = frames.at(-1);
    if (symbol === '{' || symbol === '[') {
      frames.push({
        path: top ? below(top) : '',
        keys: symbol === '{' ? new Set() : undefined,
        key: undefined,
        index: 0,
      });
    } else if (symbol === '}' || symbol === ']') frames.pop();
    else if (symbol === ',' && top) next(top);
    else if (symbol.startsWith('"') && top?.keys && top.key === undefined) {
      top.key = JSON.parse(symbol) as string;
      if (top.keys.has(top.key)) found.add(below(top));
      top.keys.add(top.key);
    }
  }
  return [...found];
}

function next(frame: Frame): void {
  frame.key = undefined;
  frame.index += 1;
}

function below({ path, keys, key, index }: Frame): string {
  if (!keys) return `${path}[${index}]`;
  return path ? `${path}.${key}` : (key ?? '');
}
