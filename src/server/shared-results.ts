import {
  type DocumentNode,
  type ExecutionResult,
  type ValidatedSubscriptionArgs,
  Kind,
  createSourceEventStream,
  executeSubscriptionEvent,
  getOperationAST,
  validateSubscriptionArgs,
  visit,
} from 'graphql';
import type { Plugin } from 'graphql-yoga';
import type { Context } from '../module.ts';
import { nextTurn, turnIsOver } from '../turns.ts';

/**
 * Subscribers of the same document who are told the very same event get the same result: it is executed once and
 * serialised once, however many they are. Streams give one event object to all who may see the same; what a resolver reads
 * of its caller makes the result that caller's own.
 */
export function useSharedResults(): Plugin {
  const results = createSharedResults();
  return {
    onSubscribe({ setSubscribeFn }) {
      setSubscribeFn(async (args: Parameters<typeof validateSubscriptionArgs>[0]) => {
        const validated = validateSubscriptionArgs(args);
        if (!('schema' in validated)) return { errors: validated };
        const source = await createSourceEventStream(validated);
        if (!(Symbol.asyncIterator in source)) return source;
        const operation = results.operationOf(args);
        return mapEach(source[Symbol.asyncIterator](), (event) => results.of(event, operation, validated));
      });
    },
  };
}

/** Like an async generator, but one whose end does not wait for the read that is under way. */
function mapEach<T, R>(source: AsyncIterator<T>, map: (event: T) => R | Promise<R>): AsyncGenerator<R, void> {
  const done = { done: true, value: undefined } as const;
  const given = (value: R): IteratorYieldResult<R> => ({ done: false, value });
  const mapped = (step: IteratorResult<T>): IteratorResult<R, void> | Promise<IteratorResult<R, void>> => {
    if (step.done) return done;
    const value = map(step.value);
    return value instanceof Promise ? value.then(given) : given(value);
  };
  // Each subscriber passes here for each event: promises that nothing waits for would double what it costs.
  const read = (): Promise<IteratorResult<R, void>> => source.next().then(mapped);
  const events: AsyncGenerator<R, void> = {
    // A snapshot is there at once: without a pause its reader would hold up everybody else.
    next: () => (turnIsOver() ? nextTurn().then(() => events.next()) : read()),
    async return() {
      await source.return?.();
      return done;
    },
    async throw(error) {
      await source.return?.();
      throw error;
    },
    [Symbol.asyncIterator]: () => events,
    [Symbol.asyncDispose]: async () => void (await events.return()),
  };
  return events;
}

type OperationArgs = Parameters<typeof validateSubscriptionArgs>[0];

interface Entry {
  result: Promise<ExecutionResult> | ExecutionResult;
  /** Whether a resolver asked who the caller is: known when the result is. */
  asked: { personal: boolean };
  caller: unknown;
}

export function createSharedResults() {
  const events = new WeakMap<object, Map<string, Entry>>();
  const documents = new WeakMap<DocumentNode, { number: number; variables: readonly string[] }>();
  let documentCount = 0;

  function documentOf(document: DocumentNode) {
    const present = documents.get(document);
    if (present) return present;
    const known = { number: ++documentCount, variables: variablesOfEvents(document) };
    documents.set(document, known);
    return known;
  }

  return {
    /** Equal for operations whose results of an event are equal, as far as the event and the callers are. */
    operationOf({ document, operationName, variableValues, contextValue }: OperationArgs): string {
      const { number, variables } = documentOf(document);
      const values = variables.map((name) => variableValues?.[name] ?? null);
      const { anonymous = false } = (contextValue as Partial<Context> | undefined)?.caller ?? {};
      return JSON.stringify([number, operationName ?? null, values, anonymous]);
    },
    of(event: unknown, operation: string, args: ValidatedSubscriptionArgs): Promise<ExecutionResult> | ExecutionResult {
      if (typeof event !== 'object' || event === null) return executeEvent(event, args, () => {});
      const entries = events.get(event) ?? new Map<string, Entry>();
      events.set(event, entries);
      const { caller } = args.contextValue as Context;
      const present = entries.get(operation);
      if (!present) return execute(event, operation, args, entries);
      if (present.caller === caller) return present.result;
      const mayShare = (result: ExecutionResult) =>
        present.asked.personal ? executeEvent(event, args, () => {}) : result;
      return present.result instanceof Promise ? present.result.then(mayShare) : mayShare(present.result);
    },
  };

  function execute(event: object, operation: string, args: ValidatedSubscriptionArgs, entries: Map<string, Entry>) {
    const asked = { personal: false };
    const result = executeEvent(event, args, () => (asked.personal = true));
    const entry: Entry = { result, asked, caller: (args.contextValue as Context).caller };
    entries.set(operation, entry);
    // Later readers find the result itself.
    if (result instanceof Promise) void result.then((settled) => (entry.result = settled));
    return result;
  }
}

function executeEvent(
  event: unknown,
  args: ValidatedSubscriptionArgs,
  touched: () => void,
): Promise<ExecutionResult> | ExecutionResult {
  const contextValue = watched(args.contextValue as Context, touched);
  return executeSubscriptionEvent({ ...args, rootValue: event, contextValue });
}

/** What is the same for all callers. */
const impersonal = new Set<PropertyKey>(['use', 'cluster', 'clock']);

/** The context, telling when anything is read of it that another caller's might have otherwise. */
function watched(context: Context, touched: () => void): Context {
  return new Proxy(context, {
    get(target, property) {
      if (property === 'caller') return watchedCaller(target, touched);
      // Libraries keep what they cache for a context by symbols: this one has none of the caller's.
      if (typeof property === 'symbol') return undefined;
      if (!impersonal.has(property)) touched();
      return Reflect.get(target, property) as unknown;
    },
  });
}

/** Whether somebody is signed in is part of what an operation is shared by. */
function watchedCaller({ caller }: Context, touched: () => void): Context['caller'] {
  return new Proxy(caller, {
    get(target, property) {
      if (property !== 'anonymous') touched();
      return Reflect.get(target, property) as unknown;
    },
  });
}

/** The variables that the result of an event can depend on: the arguments of the subscription itself only chose the events. */
function variablesOfEvents(document: DocumentNode): string[] {
  const names = new Set<string>();
  const operation = getOperationAST(document);
  const ofRoot = new Set(
    operation?.selectionSet.selections.flatMap((selection) =>
      selection.kind === Kind.FIELD ? (selection.arguments ?? []) : [],
    ),
  );
  visit(document, {
    VariableDefinition: () => false,
    Argument: (argument) => (ofRoot.has(argument) ? false : undefined),
    Variable: ({ name }) => void names.add(name.value),
  });
  return [...names].sort();
}
