import { complexityFromQuery } from '@pothos/plugin-complexity';
import {
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
  Kind,
  type OperationDefinitionNode,
  execute,
  getOperationAST,
} from 'graphql';
import { type Priced, withinCost } from '../../schema/limits.ts';
import { type OperationPlan, planOperation } from './plan.ts';
import { runPlan } from './run.ts';

/** Carries out queries and mutations of valid documents. */
export type Execute = (
  args: Pick<ExecutionArgs, 'schema' | 'document' | 'operationName' | 'contextValue' | 'variableValues'>,
) => ExecutionResult | Promise<ExecutionResult>;

interface Known {
  times: number;
  plan: OperationPlan | null;
  withinCost: boolean;
}

/** Whoever sends an operation so often will send it again. */
const plannedAfter = 3;

/**
 * Like `execute` of graphql-js; what comes again and again is planned once, and then takes a fraction of the time. What it
 * costs, where that is always the same, is then known too to be no more than `mostCost`.
 */
export function createExecute(mostCost: number): Execute {
  const operations = new WeakMap<OperationDefinitionNode, Known>();
  return (args) => {
    const operation = getOperationAST(args.document, args.operationName);
    if (!operation) return execute(args);
    const known = operations.get(operation) ?? { times: 0, plan: null, withinCost: false };
    if (known.times === 0) operations.set(operation, known);
    known.times += 1;
    if (known.times === plannedAfter) {
      known.plan = planOperation(args.schema, args.document, operation);
      known.withinCost = known.plan !== null && known.plan.costIsFixed && costOf(known.plan, args) <= mostCost;
    }
    if (!known.plan) return execute(args);
    if (known.withinCost) (args.contextValue as Priced)[withinCost] = true;
    return runPlan(known.plan, args.contextValue, args.variableValues);
  };
}

/** As the check before a root field has it. */
function costOf({ schema, operation, fragments }: OperationPlan, { variableValues }: Parameters<Execute>[0]): number {
  const document: DocumentNode = { kind: Kind.DOCUMENT, definitions: [operation, ...Object.values(fragments)] };
  try {
    return complexityFromQuery(document, { schema, variables: { ...variableValues }, ctx: {} }).complexity;
  } catch {
    // Of these variables: the run itself says so.
    return Number.POSITIVE_INFINITY;
  }
}
