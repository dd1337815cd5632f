import { parseAllDocuments } from 'yaml';
import { parseContentType } from './content.ts';

export type PreviewFormat = 'JSON' | 'YAML' | 'NDJSON' | 'XML' | 'HTML' | 'TEXT';

export interface ContentPreview {
  format: PreviewFormat;
  value: unknown;
  error: string | null;
}

/** Before each text of a json-seq. */
const recordSeparator = '\u001e';

const maxDepth = 100;
const maxNodes = 200_000;
/** YAML takes some hundred times as long to parse as JSON: `previews.ts` gives it a thread and a time limit. */
const maxYamlLength = 262_144;

const formats: readonly (readonly [PreviewFormat, RegExp])[] = [
  ['NDJSON', /^application\/(x-)?(ndjson|jsonl|jsonlines|json-seq)$/],
  ['JSON', /^(application|text)\/json5?$|\+json$/],
  ['YAML', /^(application|text)\/(x-)?yaml$|^text\/vnd\.yaml$|\+yaml$/],
  ['HTML', /^text\/html$|^application\/xhtml\+xml$/],
  ['XML', /^(application|text)\/xml(-dtd)?$|\+xml$/],
];

const parsers: Partial<Record<PreviewFormat, (text: string) => unknown>> = {
  JSON: JSON.parse,
  YAML: parseYaml,
  NDJSON: parseLines,
};

export interface PreviewInput {
  text: string;
  contentType: string | null;
  truncated: boolean;
}

/** What kind of text a body is, and its value where that is data; a body that does not parse says why. */
export function preview({ text, contentType, truncated }: PreviewInput): ContentPreview {
  const format = formatOf({ text, contentType });
  const parse = parsers[format];
  if (!parse) return { format, value: null, error: null };
  const cut = 'Only the beginning of the body is here';
  if (truncated && format !== 'NDJSON') return { format, value: null, error: `${cut}, so it is not parsed.` };
  try {
    // The last line may be half of one.
    const value = parse(truncated ? text.slice(0, text.lastIndexOf('\n') + 1) : text);
    const error = sizeProblem(value);
    return { format, value: error ? null : value, error: error ?? (truncated ? `${cut}.` : null) };
  } catch (error) {
    const [line = ''] = (error as Error).message.split('\n', 1);
    return { format, value: null, error: `Not valid ${format}: ${line.slice(0, 200)}` };
  }
}

export function formatOf({ text, contentType }: Pick<PreviewInput, 'text' | 'contentType'>): PreviewFormat {
  const type = parseContentType(contentType)?.type;
  if (type) return formats.find(([, pattern]) => pattern.test(type))?.[0] ?? 'TEXT';
  return /^\s*[{[]/.test(text) ? 'JSON' : 'TEXT';
}

/** One JSON value a line. */
function parseLines(text: string): unknown[] {
  return text.split(/\r?\n/).flatMap((raw, index) => {
    const line = (raw.startsWith(recordSeparator) ? raw.slice(1) : raw).trim();
    if (line === '') return [];
    try {
      return [JSON.parse(line) as unknown];
    } catch (error) {
      throw new Error(`line ${index + 1}: ${(error as Error).message}`, { cause: error });
    }
  });
}

function parseYaml(text: string): unknown {
  if (text.length > maxYamlLength) throw new Error(`more than ${maxYamlLength} characters are not parsed.`);
  const documents = parseAllDocuments(text, { logLevel: 'silent', prettyErrors: false, uniqueKeys: false });
  if (!Array.isArray(documents)) return null;
  const values = documents.map((document) => {
    const [error] = document.errors;
    if (error) throw error;
    // Aliases that multiply (a "billion laughs" document) are refused by their count.
    return document.toJS({ maxAliasCount: 100 }) as unknown;
  });
  return values.length === 1 ? values[0] : values;
}

/** Aliases share values, which become copies when the answer is written: so the size is that of the written form. */
function sizeProblem(value: unknown): string | null {
  let nodes = 0;
  const stack: [value: unknown, depth: number][] = [[value, 0]];
  for (let next = stack.pop(); next; next = stack.pop()) {
    const [current, depth] = next;
    if (++nodes > maxNodes) return 'The value has too many parts for a preview.';
    if (typeof current !== 'object' || current === null) continue;
    if (depth >= maxDepth) return 'The value is nested too deeply for a preview.';
    for (const child of Object.values(current)) stack.push([child, depth + 1]);
  }
  return null;
}
