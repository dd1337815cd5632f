import type { IncomingMessage } from 'node:http';
import { GraphQLError } from 'graphql';
import { withStatus } from './errors.ts';

/** The body as text. Rejects with a 413 as soon as it is larger than `maxBytes`; never settles when the client goes away. */
export function readBody(request: IncomingMessage, maxBytes: number): Promise<string> {
  return new Promise((resolve, reject) => {
    if (Number(request.headers['content-length'] ?? 0) > maxBytes) return reject(tooLarge(maxBytes));
    let first: Buffer | null = null;
    let chunks: Buffer[] | null = null;
    let bytes = 0;
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > maxBytes) {
        request.removeAllListeners('data').removeAllListeners('end');
        return reject(tooLarge(maxBytes));
      }
      if (first) (chunks ??= [first]).push(chunk);
      else first = chunk;
    });
    request.on('end', () => resolve((chunks ? Buffer.concat(chunks) : (first ?? Buffer.alloc(0))).toString('utf8')));
    // The response's own end tells whoever else wants to know.
    request.on('error', () => {});
  });
}

function tooLarge(maxBytes: number): GraphQLError {
  return new GraphQLError(`The request has more than ${maxBytes} bytes.`, {
    extensions: withStatus({ code: 'REQUEST_TOO_LARGE' }, { status: 413 }),
  });
}
