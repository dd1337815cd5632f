import { GraphQLError } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { withStatus } from './errors.ts';

/** What a request over HTTP asks for. */
export interface Params {
  query: string;
  operationName?: string | null;
  variables?: Readonly<Record<string, unknown>> | null;
}

const names = new Set(['query', 'operationName', 'variables', 'extensions']);

/** The parameters in the value of a body; throws what is wrong with them. */
export function paramsOf(value: unknown): Params {
  if (Array.isArray(value)) throw bad('Send one operation in a request: batches are not taken.');
  if (!isRecord(value)) throw bad('The body must be a JSON object with the member "query".');
  for (const name of Object.keys(value)) {
    if (!names.has(name) && value[name] != null) throw bad(`There is no parameter "${name.slice(0, 100)}".`, name);
  }
  const { query, operationName, variables, extensions } = value;
  if (typeof query !== 'string') throw bad('Give the document as the string "query".', 'query');
  if (operationName != null && typeof operationName !== 'string')
    throw bad('"operationName" must be a string.', 'operationName');
  for (const [name, given] of Object.entries({ variables, extensions })) {
    if (given != null && !isRecord(given)) throw bad(`"${name}" must be a JSON object.`, name);
  }
  return value as unknown as Params;
}

/** The value of a body, or of the named parameter of a URL; throws what is wrong with it. */
export function parseJson(text: string, name?: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw bad(name === undefined ? 'The body is not JSON.' : `"${name}" is not JSON.`, name);
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function bad(message: string, field?: string): GraphQLError {
  return new GraphQLError(message, {
    extensions: withStatus(
      { code: 'INVALID', ...(field !== undefined && { field: field.slice(0, 100) }) },
      { status: 400 },
    ),
  });
}

/** The same for what yoga reads. */
export function useParams(): Plugin {
  return { onParams: ({ params }) => void paramsOf(params) };
}

/** The parameters in a URL, where yoga's own parser blames the server for what is no JSON. */
export function useUrlParams(): Plugin {
  return {
    onRequestParse({ request, setRequestParser }) {
      if (request.method !== 'GET') return;
      setRequestParser(() => {
        const given = new URL(request.url, 'http://localhost').searchParams;
        const json = (name: string) => (given.get(name) ? parseJson(given.get(name) ?? '', name) : null);
        return {
          query: given.get('query') || null,
          operationName: given.get('operationName') || null,
          variables: json('variables'),
          extensions: json('extensions'),
        } as never;
      });
    },
  };
}
