import {
  type DocumentNode,
  type ExecutionResult,
  type GraphQLError,
  type GraphQLSchema,
  OperationTypeNode,
  getOperationAST,
} from 'graphql';
import type { Plugin } from 'graphql-yoga';
import type { Log } from '../log.ts';
import type { Context, OperationObserver } from '../module.ts';
import type { RequestLimits } from '../schema/limits.ts';
import { type Documents, createDocuments } from './documents.ts';
import { presentResult } from './errors.ts';
import { createExecute } from './execution/index.ts';
import { variablesRefusal } from './variables.ts';

/** One operation of a document that may be carried out. */
export interface Operation {
  document: DocumentNode;
  type: OperationTypeNode;
  operationName?: string | null | undefined;
  variableValues?: Readonly<Record<string, unknown>> | null | undefined;
  contextValue: Context;
}

/** What becomes of an operation, whatever brings it: HTTP, SSE or WebSocket. */
export interface Operations {
  readonly documents: Documents;
  /** Carries out a query or mutation; gives the result as the caller sees it. */
  carryOut(operation: Operation): ExecutionResult | Promise<ExecutionResult>;
  /** Why a subscription is not opened with these variables; null: it may be. */
  variablesRefusal(asked: Pick<Operation, 'document' | 'operationName' | 'variableValues'>): GraphQLError | null;
  /** Tells that an operation is not carried out. */
  refuse(error: unknown): void;
}

interface OperationsOptions {
  observers: readonly OperationObserver[];
  log: Log;
  atMost: RequestLimits;
}

export function createOperations(schema: GraphQLSchema, { observers, log, atMost }: OperationsOptions): Operations {
  const execute = createExecute(atMost.cost);
  const begin = (type: OperationTypeNode) => observers.map((observer) => observer.begin(type));
  return {
    documents: createDocuments(schema, atMost),
    variablesRefusal: (asked) => variablesRefusal(schema, asked, atMost.variablesBytes),
    carryOut({ type, document, operationName, variableValues, contextValue }) {
      const told = begin(type);
      const present = (result: ExecutionResult): ExecutionResult => {
        const shown = presentResult(result, log, () => contextValue.request.id);
        for (const tell of told) tell(shown);
        return shown;
      };
      const refusal = variablesRefusal(schema, { document, operationName, variableValues }, atMost.variablesBytes);
      if (refusal) return present({ errors: [refusal] });
      const result = execute({ schema, document, contextValue, operationName, variableValues });
      return result instanceof Promise ? result.then(present) : present(result);
    },
    refuse(error) {
      for (const observer of observers) observer.refused(error);
    },
  };
}

/** Of one that is not there: a query, which says so. */
export function operationType(document: DocumentNode, operationName: string | null | undefined): OperationTypeNode {
  return getOperationAST(document, operationName)?.operation ?? OperationTypeNode.QUERY;
}

/** The same for what yoga's functions carry out, and the subscriptions, which are all theirs. */
export function useOperations(operations: Operations, observers: readonly OperationObserver[]): Plugin {
  return {
    onParse:
      () =>
      ({ result }) => {
        if (result instanceof Error) operations.refuse(result);
      },
    onValidate:
      () =>
      ({ valid, result }) => {
        if (!valid) operations.refuse(result[0]);
      },
    onExecute: ({ setExecuteFn }) =>
      setExecuteFn(({ document, operationName, variableValues, contextValue }) =>
        operations.carryOut({
          document,
          type: operationType(document, operationName),
          operationName,
          variableValues,
          contextValue: contextValue as Context,
        }),
      ),
    onSubscribe({ args, setResultAndStopExecution }) {
      const told = observers.map((observer) => observer.begin(OperationTypeNode.SUBSCRIPTION));
      const refusal = operations.variablesRefusal(args);
      if (refusal) setResultAndStopExecution({ errors: [refusal] });
      return {
        onSubscribeResult({ result }) {
          const isOpen = Symbol.asyncIterator in result;
          for (const tell of told) tell(isOpen ? {} : result);
          if (!isOpen) return undefined;
          const ends = observers.map((observer) => observer.opened());
          return { onEnd: () => ends.forEach((end) => end()) };
        },
      };
    },
  };
}
