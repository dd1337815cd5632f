import { type ExecutionResult, GraphQLError } from 'graphql';

const payloads = new WeakMap<ExecutionResult, Buffer>();

/** A result as JSON: made once, and shared by all who get the same result. */
export function payloadOf(result: ExecutionResult): Buffer {
  const present = payloads.get(result);
  if (present) return present;
  const payload = Buffer.from(JSON.stringify(presentable(result)));
  payloads.set(result, payload);
  return payload;
}

/** What an error says of an HTTP answer is not for the client. */
function presentable({ errors, ...rest }: ExecutionResult): unknown {
  if (!errors) return rest;
  const shown = errors.map((error) => {
    const { extensions, ...others } = error instanceof GraphQLError ? error.toJSON() : error;
    const { http: _, ...told } = extensions ?? {};
    return { ...others, ...(Object.keys(told).length > 0 && { extensions: told }) };
  });
  return { errors: shown, ...rest };
}
