/** A body that is no protobuf, or none that can be read here. */
export class ProtobufError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ProtobufError';
  }
}

/** One field as it stands on the wire: a number, or the bytes of a text or a message. */
export interface WireField {
  number: number;
  value: bigint | Uint8Array;
}

const varint = 0;
const lengthDelimited = 2;

/** The fields of a message in their order. Kubernetes uses these two wire types only, besides one float. */
export function* fieldsIn(message: Uint8Array): Iterable<WireField> {
  let position = 0;
  const readVarint = () => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = message[position];
      if (byte === undefined) throw new ProtobufError('a number is cut off');
      position += 1;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asIntN(64, value);
    }
    throw new ProtobufError('a number is too long');
  };
  while (position < message.length) {
    const tag = Number(readVarint());
    const [number, type] = [tag >>> 3, tag & 7];
    if (type === varint) yield { number, value: readVarint() };
    else if (type === lengthDelimited) {
      const length = Number(readVarint());
      if (length < 0 || length > message.length - position) throw new ProtobufError('a message is cut off');
      yield { number, value: message.subarray(position, position + length) };
      position += length;
    } else throw new ProtobufError(`wire type ${type} is not read`);
  }
}

export function textOf(value: WireField['value']): string {
  if (typeof value === 'bigint') throw new ProtobufError('a text is expected');
  return new TextDecoder('utf-8', { fatal: true }).decode(value);
}

export function messageOf(value: WireField['value']): Uint8Array {
  if (typeof value === 'bigint') throw new ProtobufError('a message is expected');
  return value;
}

export function numberOf(value: WireField['value']): number {
  if (typeof value !== 'bigint') throw new ProtobufError('a number is expected');
  return Number(value);
}
