import { type GraphQLResolveInfo, Kind, type SelectionSetNode } from 'graphql';
import { SlipwayError } from '../../../errors.ts';

const calling = new Set(['invokeService', 'replayInvocation']);

/** What is wrong with each call of an operation that would make more than one: none of them may be made. */
export function callProblems(info: Pick<GraphQLResolveInfo, 'operation' | 'fragments'>): SlipwayError[] {
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
        const fragment = info.fragments[selection.name.value];
        if (fragment) visit(fragment.selectionSet);
      }
    }
  };
  visit(info.operation.selectionSet);
  if (found.size <= 1) return [];
  const message = 'An operation may call a service once: send each call in its own request.';
  return [new SlipwayError('LIMIT_EXCEEDED', message, { reason: 'ONE_CALL' })];
}
