import { SlipwayError, invalid } from '../../errors.ts';

/** The body as the bytes that will be sent; null for none. */
export function encodeBody(body: string | null | undefined, maxBytes: number): Buffer | null {
  if (body === null || body === undefined) return null;
  if (body.length > maxBytes || Buffer.byteLength(body) > maxBytes) {
    throw new SlipwayError('REQUEST_TOO_LARGE', `The body has more than ${maxBytes} bytes.`, {
      field: 'body',
      reason: 'BODY_TOO_LARGE',
    });
  }
  if (!body.isWellFormed()) {
    throw invalid('body', 'The body has half a surrogate pair, which no UTF-8 text can hold.', 'BODY_TEXT');
  }
  return Buffer.from(body);
}
