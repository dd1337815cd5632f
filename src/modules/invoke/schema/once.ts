import { type GraphQLResolveInfo, Kind, type OperationDefinitionNode, type SelectionSetNode } from 'graphql';
import { SlipwayError } from '../../../errors.ts';

type Asked = Pick<GraphQLResolveInfo, 'operation' | 'fragments'>;

const calling = new Set(['invokeService', 'replayInvocation']);

/** Whether an operation would make more than one call: many operations come again and again. */
const several = new WeakMap<OperationDefinitionNode, boolean>();

/** What is wrong with each call of an operation that would make more than one: none of them may be made. */
export function callProblems(info: Asked): SlipwayError[] {
  const { operation } = info;
  if (!several.has(operation)) several.set(operation, countCalls(info) > 1);
  if (!several.get(operation)) return [];
  const message = 'An operation may call a service once: send each call in its own request.';
  return [new SlipwayError('LIMIT_EXCEEDED', message, { reason: 'ONE_CALL' })];
}

function countCalls({ operation, fragments }: Asked): number {
  const found = new Set<string>();
  const visited = new Set<string>();
  const visit = (set: SelectionSetNode): void => {
    for (const selection of set.selections) {
      if (selection.kind === Kind.FIELD) {
        // The same name in the answer is the same field, carried out once.
        if (calling.has(selection.name.value)) found.add(selection.alias?.value ?? selection.name.value);
      } else if (selection.kind === Kind.INLINE_FRAGMENT) visit(selection.selectionSet);
      else if (!visited.has(selection.name.value)) {
        visited.add(selection.name.value);
        const fragment = fragments[selection.name.value];
        if (fragment) visit(fragment.selectionSet);
      }
    }
  };
  visit(operation.selectionSet);
  return found.size;
}
