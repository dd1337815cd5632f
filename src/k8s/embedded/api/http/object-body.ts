import type { IncomingMessage } from 'node:http';
import { unrecognized } from '../decode.ts';
import type { Definition } from '../definition.ts';
import { badRequest, unknownFormat } from '../status.ts';
import { type Body, mediaType, protobufType, readJson, readProtobuf, readYaml } from './body.ts';

const objectTypes = ['application/json', 'application/yaml'];

/** The body of a create or a replacement, which must be there. */
export async function readObjectBody(
  request: IncomingMessage,
  kind: Pick<Definition, 'kind' | 'custom'> & Partial<Pick<Definition, 'schema'>>,
): Promise<Body> {
  const body = await read(request, kind);
  if (body.value === undefined) throw unparsable(kind, 'unexpected end of JSON input');
  return body;
}

async function read(request: IncomingMessage, kind: Parameters<typeof readObjectBody>[1]): Promise<Body> {
  const { custom, schema } = kind;
  // Protobuf has no form for custom resources.
  const protobufSchema = custom ? undefined : schema;
  const refuse = (why: string) => badRequest(unrecognized(kind, why));
  switch (mediaType(request)) {
    case 'application/json':
      return readJson(request, (why) => unparsable(kind, why));
    case 'application/yaml':
      return readYaml(request, (why) => refuse(`yaml: ${why}`));
    case protobufType:
      if (protobufSchema) return readProtobuf(request, { schema: protobufSchema }, (why) => refuse(`protobuf: ${why}`));
      throw unknownFormat(objectTypes);
    default:
      throw unknownFormat(protobufSchema ? [...objectTypes, protobufType] : objectTypes);
  }
}

function unparsable(kind: Pick<Definition, 'kind'>, why: string) {
  return badRequest(unrecognized(kind, `couldn't get version/kind; json parse error: ${why}`));
}
