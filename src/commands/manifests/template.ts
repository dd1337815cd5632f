/** What stands in a manifest: JSON, and in the chart's templates also what Helm fills in. */
export type Node = string | number | boolean | Expression | Optional | When | readonly Node[] | Fields;
export interface Fields {
  readonly [key: string]: Node | undefined;
}

/** `{{ … }}` in place of a value. */
export class Expression {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** A key with this value of the chart, as YAML; left out while the value is empty. Under a key that begins with `...`: further keys. */
export class Optional {
  readonly path: string;
  constructor(path: string) {
    this.path = path;
  }
}

/** A key or items that are there only under a condition. */
export class When {
  readonly condition: string;
  readonly node: Node;
  constructor(condition: string, node: Node) {
    this.condition = condition;
    this.node = node;
  }
}

const step = 2;

/** The template of a manifest. */
export function renderTemplate(fields: Fields): string {
  return `${fieldLines(fields, 0).join('\n')}\n`;
}

function fieldLines(fields: Fields, indent: number): string[] {
  return Object.entries(fields).flatMap(([key, value]) => {
    if (value instanceof When) return wrapped('if', value.condition, fieldLines({ [key]: value.node }, indent), indent);
    if (!(value instanceof Optional)) return value === undefined ? [] : keyLines(key, value, indent);
    const pad = ' '.repeat(indent);
    if (key.startsWith('...'))
      return wrapped('with', value.path, [`${pad}{{- toYaml . | nindent ${indent} }}`], indent);
    const lines = [`${pad}${key}:`, `${pad}  {{- toYaml . | nindent ${indent + step} }}`];
    return wrapped('with', value.path, lines, indent);
  });
}

function wrapped(word: string, text: string, lines: readonly string[], indent: number): string[] {
  const pad = ' '.repeat(indent);
  return [`${pad}{{- ${word} ${text} }}`, ...lines, `${pad}{{- end }}`];
}

function keyLines(key: string, value: Node, indent: number): string[] {
  const start = `${' '.repeat(indent)}${quoted(key)}:`;
  if (Array.isArray(value)) return value.length === 0 ? [`${start} []`] : [start, ...itemLines(value, indent + step)];
  if (isFields(value)) {
    const lines = fieldLines(value, indent + step);
    return lines.length === 0 ? [`${start} {}`] : [start, ...lines];
  }
  return [`${start} ${scalar(value)}`];
}

function itemLines(items: readonly Node[], indent: number): string[] {
  const pad = ' '.repeat(indent);
  return items.flatMap((item) => {
    if (item instanceof When) {
      const nodes = Array.isArray(item.node) ? item.node : [item.node];
      return wrapped('if', item.condition, itemLines(nodes, indent), indent);
    }
    if (item instanceof Optional)
      return wrapped('with', item.path, [`${pad}{{- toYaml . | nindent ${indent} }}`], indent);
    if (!isFields(item)) return [`${pad}- ${scalar(item)}`];
    const [first = '', ...rest] = fieldLines(item, indent + step);
    return [`${pad}- ${first.trimStart()}`, ...rest];
  });
}

function isFields(node: Node): node is Fields {
  return typeof node === 'object' && !Array.isArray(node) && !(node instanceof Expression);
}

function scalar(node: Node): string {
  if (node instanceof Expression) return `{{ ${node.text} }}`;
  return typeof node === 'string' ? quoted(node) : JSON.stringify(node);
}

/** Plain where YAML can't take it for something else. */
function quoted(text: string): string {
  return /^[A-Za-z/][\w./-]*$/.test(text) && !/^(true|false|null|yes|no|on|off|y|n)$/i.test(text)
    ? text
    : JSON.stringify(text);
}
