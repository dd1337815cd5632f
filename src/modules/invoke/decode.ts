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
 * The decoded bytes, which the reader stops at its own cap. What goes into each decoder is capped too, so an answer that
 * costs much to decode and yields nothing ends as well.
 */
export async function* decoded(
  raw: AsyncIterable<Buffer>,
  encodings: readonly string[],
  maxBytes: number,
): AsyncGenerator<Buffer, undefined> {
  const bytes = raw[Symbol.asyncIterator]();
  const first = await bytes.next();
  // Nothing at all is nothing in every encoding.
  if (first.done) return;
  const stages = encodings.toReversed().flatMap((name) => {
    const decoder = decoders[name];
    return decoder ? [limited(maxBytes + slackBytes), decoder()] : [];
  });
  const source = Readable.from(withFirst(first.value, bytes), { objectMode: false });
  // The reader of the last stage learns of every failure: pipeline destroys it with the error.
  yield* pipeline([source, ...stages], () => {}) as unknown as AsyncIterable<Buffer>;
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
