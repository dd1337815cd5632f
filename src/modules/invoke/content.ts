import { isUtf8 } from 'node:buffer';

/** A media type taken apart: lower case, without its other parameters. */
export interface ContentType {
  type: string;
  charset: string | null;
}

export interface Text {
  text: string;
  /** Some bytes were not text in that charset and became U+FFFD. */
  lossy: boolean;
}

const textTypes = new Set([
  'application/json',
  'application/json5',
  'application/json-seq',
  'application/jsonl',
  'application/jsonlines',
  'application/x-jsonlines',
  'application/ndjson',
  'application/x-ndjson',
  'application/xml',
  'application/xml-dtd',
  'application/yaml',
  'application/x-yaml',
  'application/toml',
  'application/javascript',
  'application/ecmascript',
  'application/graphql',
  'application/sql',
  'application/x-www-form-urlencoded',
]);

// What files of other kinds begin with, whatever their label says.
const signatures = [
  '\x89PNG',
  'GIF87a',
  'GIF89a',
  '\xff\xd8\xff',
  '%PDF-',
  '\x7fELF',
  'PK\x03\x04',
  '\x1f\x8b',
  'BZh',
  '\xfd7zXZ',
  '7z\xbc\xaf',
  '\x28\xb5\x2f\xfd',
  'RIFF',
  'OggS',
  'ID3',
  'wOFF',
  'wOF2',
  '\x00asm',
  '\xca\xfe\xba\xbe',
].map((signature) => Buffer.from(signature, 'latin1'));

const signatureBytes = new Set(signatures.map(([first = 0]) => first));

const byteOrderMarks: readonly (readonly [charset: string, bytes: Buffer])[] = [
  ['utf-8', Buffer.from([0xef, 0xbb, 0xbf])],
  ['utf-16le', Buffer.from([0xff, 0xfe])],
  ['utf-16be', Buffer.from([0xfe, 0xff])],
];

export function parseContentType(value: string | null): ContentType | null {
  const match = /^\s*([^\s;,]+\/[^\s;,]+)/.exec(value ?? '');
  if (!match?.[1]) return null;
  const charset = /;\s*charset\s*=\s*"?([^\s";,]+)/i.exec(value ?? '')?.[1] ?? null;
  return { type: match[1].toLowerCase(), charset: charset?.toLowerCase() ?? null };
}

/** Whether bodies of this type are shown as text; null (no type) is decided by the bytes. */
export function isTextType(content: ContentType | null): boolean {
  if (!content) return true;
  const { type } = content;
  return type.startsWith('text/') || textTypes.has(type) || /\+(json|xml|yaml)$/.test(type);
}

/** True for bytes that begin like an image, an archive, a program and the like. */
export function looksBinary(bytes: Uint8Array): boolean {
  if (!signatureBytes.has(bytes[0] ?? 0)) return false;
  const signature = signatures.find((each) => each.equals(bytes.subarray(0, each.length)));
  if (!signature) return false;
  // A sentence may begin with "ID3" or "RIFF"; such a file is no text soon after.
  return !isPlain(signature) || !isPlain(bytes.subarray(0, 64));
}

/** Whether it is UTF-8, up to half a character at the end, without control characters but those of texts. */
function isPlain(bytes: Uint8Array): boolean {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: true });
    // oxlint-disable-next-line no-control-regex -- control characters are what this is about
    return !/[^\t\n\f\r\u001b\u0020-\uffff]/.test(text);
  } catch {
    return false; // not UTF-8: that is the answer
  }
}

/**
 * True while more bytes could make a byte order mark or a binary signature of these. Signatures that begin with a letter do
 * not count: such text should not have to wait.
 */
export function couldBecomeMark(bytes: Uint8Array): boolean {
  const first = bytes[0] ?? 0;
  if (first >= 0x20 && first < 0x7f) return false;
  const marks = [...byteOrderMarks.map(([, mark]) => mark), ...signatures];
  return marks.some((mark) => bytes.length < mark.length && mark.subarray(0, bytes.length).equals(bytes));
}

/**
 * The charset to decode with: a byte order mark, else what the type says, else what the document says of itself, else
 * UTF-8; null when it is unknown.
 */
export function charsetOf(bytes: Uint8Array, content: ContentType | null): string | null {
  const mark = markOf(bytes);
  if (mark) return mark[0];
  const charset = content?.charset ?? declaredCharset(bytes, content?.type ?? '') ?? 'utf-8';
  if (charset === 'utf-8') return charset;
  try {
    return new TextDecoder(charset).encoding;
  } catch {
    // A label the Encoding Standard does not know.
    return null;
  }
}

function markOf(bytes: Uint8Array): (typeof byteOrderMarks)[number] | undefined {
  if ((bytes[0] ?? 0) < 0xef) return undefined;
  return byteOrderMarks.find(([, signature]) => signature.equals(bytes.subarray(0, signature.length)));
}

/** What the XML declaration or a `meta` element says within the first 1,024 bytes, as the HTML standard has it. */
function declaredCharset(bytes: Uint8Array, type: string): string | null {
  const isHtml = type === 'text/html' || type === 'application/xhtml+xml';
  if (!isHtml && !/[/+]xml$/.test(type)) return null;
  const begin = Buffer.from(bytes.subarray(0, 1024)).toString('latin1');
  const found =
    /^<\?xml[^>]*?\sencoding\s*=\s*["']([\w.:-]+)["']/.exec(begin) ??
    (isHtml ? /<meta\s[^>]*?charset\s*=\s*["']?\s*([\w.:-]+)/i.exec(begin) : null);
  // Who could read that much of it was not reading UTF-16.
  return found?.[1]?.replace(/^utf-?16.*$/i, 'utf-8') ?? null;
}

/**
 * The body as text; null when it is not text. `cut`: bytes are missing at the end, so that half a character there is
 * no damage.
 */
export function decodeText(bytes: Uint8Array, content: ContentType | null, cut: boolean): Text | null {
  if (bytes.length === 0) return { text: '', lossy: false };
  if (!isTextType(content) || looksBinary(bytes)) return null;
  const charset = charsetOf(bytes, content);
  if (!charset) return null;
  if (!content && charset === 'utf-8' && !cut && !isUtf8(bytes)) return null;
  const decoded = decodeWith(charset, bytes, cut);
  return decoded.text.includes('\0') || (!content && decoded.lossy) ? null : decoded;
}

function decodeWith(charset: string, bytes: Uint8Array, cut: boolean): Text {
  // What nearly every answer is takes a fraction of the time without a decoder of its own.
  if (charset === 'utf-8' && isUtf8(bytes)) {
    const { buffer, byteOffset, length } = bytes.subarray(markOf(bytes)?.[1].length ?? 0);
    return { text: Buffer.from(buffer, byteOffset, length).toString('utf8'), lossy: false };
  }
  try {
    return { text: new TextDecoder(charset, { fatal: true }).decode(bytes, { stream: cut }), lossy: false };
  } catch {
    return { text: new TextDecoder(charset).decode(bytes, { stream: cut }), lossy: true };
  }
}

/** Decodes text that comes in pieces. */
export interface PieceDecoder {
  /** What is certain by now of the bytes so far; without any: what is left at the end. Null: it is no text. */
  decode(bytes?: Uint8Array): Text | null;
}

/** `strict`: what has a flaw is no text. */
export function pieceDecoder(charset: string, strict: boolean): PieceDecoder {
  const decoder = new TextDecoder(charset, { fatal: strict });
  // Only where a flaw is an error can it be told from a U+FFFD that was sent.
  let flawless: TextDecoder | null = strict ? null : new TextDecoder(charset, { fatal: true });
  let lossy = false;
  const next = (by: TextDecoder, bytes?: Uint8Array) => (bytes ? by.decode(bytes, { stream: true }) : by.decode());
  return {
    decode(bytes) {
      try {
        if (flawless) next(flawless, bytes);
      } catch {
        lossy = true;
        flawless = null;
      }
      try {
        return { text: next(decoder, bytes), lossy };
      } catch {
        return null; // only one that is strict throws
      }
    },
  };
}
