import {
  type FragmentDefinitionNode,
  GraphQLError,
  type GraphQLSchema,
  Kind,
  type SelectionSetNode,
  getOperationAST,
} from 'graphql';
import { limits } from '../schema/limits.ts';
import type { Operation } from './operations.ts';

type Asked = Pick<Operation, 'document' | 'operationName' | 'variableValues'>;

/** Why an operation is not carried out with these variables; null: it may be. */
export function variablesRefusal(schema: GraphQLSchema, asked: Asked, maxBytes: number): GraphQLError | null {
  const { variableValues } = asked;
  if (variableValues == null) return null;
  // Measured exactly only where it might be too much.
  let excess = excessOf(variableValues, { left: maxBytes, bytesOf: mostBytesOf }, limits.nesting);
  if (excess === 'VARIABLES') {
    excess = excessOf(variableValues, { left: maxBytes, bytesOf: (text) => Buffer.byteLength(text) }, limits.nesting);
  }
  if (excess === null || (excess === 'VARIABLES' && takesLargeInput(schema, asked))) return null;
  const what =
    excess === 'NESTING'
      ? `are nested deeper than ${limits.nesting} levels`
      : `have more than ${maxBytes} bytes of names and values`;
  return new GraphQLError(`The variables ${what}.`, {
    extensions: { code: 'LIMIT_EXCEEDED', reason: excess, field: 'variables' },
  });
}

/** A character has three bytes at most. */
const mostBytesOf = (text: string): number => text.length * 3;

interface Room {
  left: number;
  readonly bytesOf: (text: string) => number;
}

/** Takes the names and values of a value off the room there is; says which limit it breaks, as soon as it does. */
function excessOf(value: unknown, room: Room, levels: number): 'NESTING' | 'VARIABLES' | null {
  if (typeof value !== 'object' || value === null) {
    room.left -= typeof value === 'string' ? room.bytesOf(value) : String(value).length;
    return room.left < 0 ? 'VARIABLES' : null;
  }
  if (levels === 0) return 'NESTING';
  if (Array.isArray(value)) {
    for (const item of value) {
      const excess = excessOf(item, room, levels - 1);
      if (excess !== null) return excess;
    }
    return null;
  }
  for (const name of Object.keys(value)) {
    room.left -= room.bytesOf(name);
    const excess = excessOf((value as Record<string, unknown>)[name], room, levels - 1);
    if (excess !== null) return excess;
  }
  return room.left < 0 ? 'VARIABLES' : null;
}

/** Whether a field of the operation's root has limits of its own for what it is given. */
function takesLargeInput(schema: GraphQLSchema, { document, operationName }: Asked): boolean {
  const operation = getOperationAST(document, operationName);
  const root = operation && schema.getRootType(operation.operation);
  if (!root) return false;
  const fields = root.getFields();
  const visited = new Set<string>();
  const found = ({ selections }: SelectionSetNode): boolean =>
    selections.some((selection) => {
      if (selection.kind === Kind.FIELD) return fields[selection.name.value]?.extensions['takesLargeInput'] === true;
      if (selection.kind === Kind.INLINE_FRAGMENT) return found(selection.selectionSet);
      const name = selection.name.value;
      const fragment = document.definitions.find(
        (one): one is FragmentDefinitionNode => one.kind === Kind.FRAGMENT_DEFINITION && one.name.value === name,
      );
      if (!fragment || visited.has(name)) return false;
      visited.add(name);
      return found(fragment.selectionSet);
    });
  return found(operation.selectionSet);
}
