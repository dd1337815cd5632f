import { Readable, Transform, pipeline } from 'node:stream';
import {
  constants,
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createInflateRaw,
  createZstdDecompress,
} from 'node:zlib';
import { CallFailure } from './failure.ts';

const maxEncodings = 3;

/** Compressed bytes may be as many as decoded ones are allowed, and a little: tiny answers grow when compressed. */
const slackBytes = 65_536;

const decoders: Readonly<Record<string, () => Transform>> = {
  gzip: () => createGunzip(),
  'x-gzip': () => createGunzip(),
  deflate: createDeflateDecoder,
  br: () => createBrotliDecompress(),
  // The window that RFC 8878 asks decoders to support: a larger one is memory an attacker chooses.
  zstd: () => createZstdDecompress({ params: { [constants.ZSTD_d_windowLogMax]: 23 } }),
};

/** The Content-Encoding of an answer in the order it was applied; null when there is one we can't decode. */
export function contentEncodings(headers: readonly { name: string; value: string }[]): string[] | null {
  const names = headers
    .filter((header) => header.name.toLowerCase() === 'content-encoding')
    .flatMap((header) => header.value.toLowerCase().split(','))
    .map((name) => name.trim())
    .filter((name) => name !== '' && name !== 'identity');
  return names.length > maxEncodings || names.some((name) => !Object.hasOwn(decoders, name)) ? null : names;
}

/**
 * The decoded bytes as they come, which the reader stops at its own cap. What goes into each decoder is capped too, so an
 * answer that costs much to decode and yields nothing ends as well.
 */
export async function* decoded(
  raw: AsyncIterable<Buffer>,
  encodings: readonly string[],
  maxBytes: number,
): AsyncGenerator<Buffer, undefined> {
  yield* pass(raw, encodings, (name) => [limited(maxBytes + slackBytes), ...(name === 'br' ? [narrowOrFew()] : [])]);
}

/**
 * The same for who wants all of it. It is decoded once it has come, so that few decoders are at work at once, each for a
 * moment: one of br takes up to 16 MiB, and what the others fill is not given back before the collector looks for it.
 */
export async function* decodedInTurn(
  raw: AsyncIterable<Buffer>,
  encodings: readonly string[],
  maxBytes: number,
): AsyncGenerator<Buffer, undefined> {
  const guards = () => [limited(maxBytes + slackBytes)];
  const held = await received(raw, maxBytes + slackBytes);
  const leave = await turn(encodings.includes('br') ? places : 1);
  try {
    yield* pass(held, encodings, guards);
  } finally {
    leave();
  }
}

/** What came before a failure is decoded before that is told. */
async function* pass(
  raw: AsyncIterable<Buffer>,
  encodings: readonly string[],
  guards: (name: string) => Transform[],
): AsyncGenerator<Buffer, undefined> {
  let failure: unknown;
  const bytes = untilFailure(raw, (error) => (failure = error));
  const first = await bytes.next();
  // Nothing at all is nothing in every encoding.
  if (!first.done) {
    const stages = encodings.toReversed().flatMap((name) => {
      const decoder = decoders[name];
      return decoder ? [...guards(name), decoder()] : [];
    });
    const source = Readable.from(withFirst(first.value, bytes), { objectMode: false });
    try {
      // The reader of the last stage learns of every failure: pipeline destroys it with the error.
      yield* pipeline([source, ...stages], () => {}) as unknown as AsyncIterable<Buffer>;
    } catch (damage) {
      throw failure ?? damage;
    }
  }
  if (failure !== undefined) throw failure;
}

async function* untilFailure(raw: AsyncIterable<Buffer>, tell: (error: unknown) => void): AsyncGenerator<Buffer> {
  try {
    yield* raw;
  } catch (error) {
    tell(error);
  }
}

/** All that comes, up to a little more than `enough`, at once, and the failure where there was one. */
async function received(raw: AsyncIterable<Buffer>, enough: number): Promise<AsyncIterable<Buffer>> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  let failure: unknown;
  for await (const chunk of untilFailure(raw, (error) => (failure = error))) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > enough) break;
  }
  return (async function* () {
    yield* chunks;
    if (failure !== undefined) throw failure;
  })();
}

/** So many are decoded at once in the process, whose memory it is; of br, which takes most, one alone. */
const places = 2;
const turns = { free: places, waiting: [] as { wanted: number; begin: () => void }[] };

/** Resolves when it is one's turn, in the order in which they came, with what ends it. */
async function turn(wanted: number): Promise<() => void> {
  const began = new Promise<void>((begin) => void turns.waiting.push({ wanted, begin }));
  beginNext();
  await began;
  return () => {
    turns.free += wanted;
    beginNext();
  };
}

function beginNext(): void {
  for (let next = turns.waiting[0]; next && next.wanted <= turns.free; next = turns.waiting[0]) {
    turns.free -= next.wanted;
    turns.waiting.shift();
    next.begin();
  }
}

async function* withFirst(first: Buffer, rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  yield first;
  for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value;
}

function limited(maxBytes: number): Transform {
  let bytes = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      if (bytes > maxBytes)
        done(new CallFailure('RESPONSE_TOO_LARGE', 'The compressed body of the answer is too large.'));
      else done(null, chunk);
    },
  });
}

/** Streams of br with a window of 16 MiB that may be read at once: each has it for as long as it lasts. */
const mostWide = 2;
let wide = 0;

/** Refuses br with such a window (RFC 7932, section 9.1) while there are as many as may be. */
function narrowOrFew(): Transform {
  let begun = false;
  let counted = false;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const isWide = !begun && ((chunk[0] ?? 0) & 0x0f) === 0x0f;
      begun = true;
      if (isWide && wide >= mostWide) {
        const message = 'Too many streams of br with a window of 16 MiB are read now. Try again when one has ended.';
        return done(new CallFailure('UNSUPPORTED_CONTENT', message));
      }
      if (isWide) wide += 1;
      counted ||= isWide;
      done(null, chunk);
    },
    destroy(error, done) {
      if (counted) wide -= 1;
      counted = false;
      done(error);
    },
  });
}

/** "deflate" means zlib, but some servers send the raw form: the first byte tells which. */
function createDeflateDecoder(): Transform {
  let inner: Transform | null = null;
  const outer = new Transform({
    transform(chunk: Buffer, encoding, done) {
      inner ??= start(((chunk[0] ?? 0) & 0x0f) === 8 ? createInflate() : createInflateRaw());
      if (inner.write(chunk, encoding)) done();
      else inner.once('drain', () => done());
    },
    flush(done) {
      if (!inner) return done();
      inner.once('end', () => done());
      inner.end();
    },
    destroy(error, done) {
      inner?.destroy();
      done(error);
    },
    read() {
      inner?.resume();
    },
  });
  const start = (decoder: Transform) => {
    decoder.on('data', (chunk: Buffer) => {
      if (!outer.push(chunk)) decoder.pause();
    });
    decoder.on('error', (error) => outer.destroy(error));
    return decoder;
  };
  return outer;
}
