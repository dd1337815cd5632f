import { AnswerBody } from './answer-body.ts';
import type { OpenCall } from './call.ts';
import { type ContentType, decodeText, isTextType, parseContentType } from './content.ts';
import { contentEncodings, decoded, decodedInTurn } from './decode.ts';
import { CallFailure, type Outcome } from './failure.ts';
import type { Header } from './headers.ts';

/** An answer as the history shows it. */
export interface Response {
  status: number;
  statusText: string;
  headers: Header[];
  contentType: string | null;
  /** Decoded text; null when there is none or it is not text. */
  body: string | null;
  /** Decoded bytes read; of a body that is not text its declared length. */
  bodyBytes: number;
  /** Bytes of the body are missing. */
  truncated: boolean;
  lossy: boolean;
}

export interface Result {
  outcome: Outcome;
  message: string | null;
  response: Response;
}

/** Status and headers, before anything of the body. */
export function responseHead({ status, statusText, headers }: OpenCall): Response {
  const contentType = headers.find((header) => header.name.toLowerCase() === 'content-type')?.value ?? null;
  return { status, statusText, headers, contentType, body: null, bodyBytes: 0, truncated: false, lossy: false };
}

/** How the body can be read as text; a failure when it can't be, null when there is no body by the rules of HTTP. */
export function readable(
  call: OpenCall,
  method: string,
  maxBytes: number,
  decode = decoded,
): { body: AsyncIterable<Buffer>; content: ContentType | null } | CallFailure | null {
  if (method === 'HEAD' || call.status === 204 || call.status === 304) return null;
  const content = parseContentType(responseHead(call).contentType);
  if (!isTextType(content)) {
    return new CallFailure('UNSUPPORTED_CONTENT', `The answer is ${content?.type ?? 'not text'}: only text is shown.`);
  }
  const encodings = contentEncodings(call.headers);
  if (!encodings) {
    return new CallFailure(
      'UNSUPPORTED_CONTENT',
      'The body of the answer is compressed in a way that is not known here.',
    );
  }
  return { body: encodings.length === 0 ? call.body : decode(call.body, encodings, maxBytes), content };
}

/** The declared length of a body we do not read; 0 when it is not said. */
export function declaredLength(headers: readonly Header[]): number {
  const value = headers.find((header) => header.name.toLowerCase() === 'content-length')?.value ?? '';
  return /^\d{1,9}$/.test(value) ? Number(value) : 0;
}

/** Reads the answer up to `maxBytes` of decoded body and closes the call. Never rejects for what the service did. */
export async function readResponse(call: OpenCall, method: string, maxBytes: number): Promise<Result> {
  const head = responseHead(call);
  try {
    const source = readable(call, method, maxBytes, decodedInTurn);
    if (source === null) return { outcome: 'COMPLETED', message: null, response: head };
    if (source instanceof CallFailure) {
      const length = declaredLength(call.headers);
      if (call.headers.some(isEmptyLength))
        return { outcome: 'COMPLETED', message: null, response: { ...head, body: '' } };
      return { outcome: source.outcome, message: source.message, response: { ...head, bodyBytes: length } };
    }
    const { bytes, truncated, error } = await collect(source.body, maxBytes);
    const failure = error === null ? null : call.failure(error);
    const result = textResult(head, source.content, bytes, truncated, failure);
    free(bytes);
    return result;
  } finally {
    call.close();
  }
}

/** Bytes. */
const worthFreeing = 16_384;

/** Gives back at once what nobody else has: the collector lets many bodies come together before it looks for any. */
function free({ length, buffer }: Buffer): void {
  if (length >= worthFreeing && length === buffer.byteLength && buffer instanceof ArrayBuffer) buffer.transfer(0);
}

function isEmptyLength({ name, value }: Header): boolean {
  return name.toLowerCase() === 'content-length' && value === '0';
}

function textResult(
  head: Response,
  content: ContentType | null,
  bytes: Buffer,
  capped: boolean,
  failure: CallFailure | null,
): Result {
  const truncated = capped || failure !== null;
  const text = decodeText(bytes, content, truncated);
  const response = {
    ...head,
    body: text?.text ?? null,
    bodyBytes: bytes.length,
    truncated: truncated && text !== null,
    lossy: text?.lossy ?? false,
  };
  if (failure) return { outcome: failure.outcome, message: failure.message, response };
  if (!text) {
    return {
      outcome: 'UNSUPPORTED_CONTENT',
      message: 'The body of the answer is not text, whatever its label says.',
      response,
    };
  }
  if (!capped) return { outcome: 'COMPLETED', message: null, response };
  const message = `The body of the answer is larger than ${bytes.length} bytes: this is its beginning.`;
  return { outcome: 'RESPONSE_TOO_LARGE', message, response };
}

interface Collected {
  bytes: Buffer;
  /** There was more than the cap. */
  truncated: boolean;
  error: unknown;
}

async function collect(body: AsyncIterable<Buffer>, maxBytes: number): Promise<Collected> {
  const whole = body instanceof AnswerBody ? body.whole() : null;
  if (whole) {
    const truncated = whole.length > maxBytes;
    return { bytes: truncated ? whole.subarray(0, maxBytes) : whole, truncated, error: null };
  }
  const chunks: Buffer[] = [];
  let left = maxBytes;
  const done = (truncated: boolean, error: unknown = null) => {
    const bytes = Buffer.concat(chunks);
    // A decoder may still write to its own.
    if (body instanceof AnswerBody) chunks.forEach(free);
    return { bytes, truncated, error };
  };
  try {
    for await (const chunk of body) {
      const part = chunk.subarray(0, left);
      // A copy, where a slice would keep much of a decoder's buffer alive.
      chunks.push(part.length * 2 > part.buffer.byteLength ? part : Buffer.from(part));
      if (chunk.length > left) return done(true);
      left -= chunk.length;
    }
    return done(false);
  } catch (error) {
    return done(false, error ?? new CallFailure('PROTOCOL_ERROR', 'The answer broke off.'));
  }
}
