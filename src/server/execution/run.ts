import {
  type ExecutionResult,
  GraphQLError,
  type GraphQLResolveInfo,
  defaultFieldResolver,
  locatedError,
  responsePathAsArray,
} from 'graphql';
import type { VariableValues } from './input.ts';
import type { FieldPlan, OperationPlan, ValuePlan } from './plan.ts';

type Path = GraphQLResolveInfo['path'];
type Results = Record<string, unknown>;

/** Carries out a planned operation. The result is what `execute` of graphql-js gives. */
export function runPlan(
  plan: OperationPlan,
  context: unknown,
  variables: Readonly<Record<string, unknown>> | null | undefined,
): ExecutionResult | Promise<ExecutionResult> {
  const { fields, serial } = plan;
  const coerced = plan.variablesOf(variables ?? {});
  if (coerced.errors) return { errors: coerced.errors };
  const run = new Run(plan, context, coerced.variableValues);
  try {
    const data = serial ? fieldsInTurn(run, fields, 0, {}) : fieldsOf(run, fields, undefined, undefined);
    if (!(data instanceof Promise)) return run.end(data);
    return data.then(
      (results) => run.end(results),
      (error: unknown) => run.endWithout(error),
    );
  } catch (error) {
    return run.endWithout(error);
  }
}

/** One time that an operation is carried out. */
class Run {
  readonly plan: OperationPlan;
  readonly context: unknown;
  readonly variables: VariableValues;
  #errors: GraphQLError[] | null = null;
  #failed: Set<Path | undefined> | null = null;
  #aborter: AbortController | null = null;
  ended = false;

  constructor(plan: OperationPlan, context: unknown, variables: VariableValues) {
    this.plan = plan;
    this.context = context;
    this.variables = variables;
  }

  /** null in the place of what failed; thrown on where there may be none. */
  fail(thrown: unknown, { nodes }: FieldPlan, path: Path, nonNull: boolean): null {
    const error = locatedError(thrown, nodes, responsePathAsArray(path));
    if (nonNull) throw error;
    this.#add(error, path);
    return null;
  }

  end(data: Results | null): ExecutionResult {
    this.ended = true;
    this.#aborter?.abort();
    return this.#errors ? { errors: this.#errors, data } : { data };
  }

  endWithout(thrown: unknown): ExecutionResult {
    this.#add(thrown instanceof GraphQLError ? thrown : locatedError(thrown, undefined), undefined);
    return this.end(null);
  }

  /** Aborted with the end. */
  readonly getAbortSignal = (): AbortSignal => (this.#aborter ??= new AbortController()).signal;

  /** Of what became null for another error, nobody asks why. */
  #add(error: GraphQLError, path: Path | undefined): void {
    if (this.ended) return;
    if (this.#failed) for (let at = path; at; at = at.prev) if (this.#failed.has(at)) return;
    (this.#failed ??= new Set()).add(path);
    (this.#errors ??= []).push(error);
  }
}

/** What resolvers are told of their place; most never ask. */
class FieldInfo implements GraphQLResolveInfo {
  readonly #run: Run;
  readonly field: FieldPlan;
  readonly path: Path;

  constructor(run: Run, field: FieldPlan, path: Path) {
    this.#run = run;
    this.field = field;
    this.path = path;
  }

  get fieldName() {
    return this.field.definition.name;
  }
  get fieldNodes() {
    return this.field.nodes;
  }
  get returnType() {
    return this.field.definition.type;
  }
  get parentType() {
    return this.field.parent;
  }
  get schema() {
    return this.#run.plan.schema;
  }
  get fragments() {
    return this.#run.plan.fragments;
  }
  get rootValue() {
    return undefined;
  }
  get operation() {
    return this.#run.plan.operation;
  }
  get variableValues() {
    return this.#run.variables;
  }
  get getAbortSignal() {
    return this.#run.getAbortSignal;
  }
  get getAsyncHelpers() {
    return () => asyncHelpers;
  }
}

const asyncHelpers: ReturnType<GraphQLResolveInfo['getAsyncHelpers']> = {
  promiseAll: (values) => Promise.all(values),
  track: (values) => ignore(values),
};

/** What nobody waits for any more must not end the process by its error. */
function ignore(values: readonly unknown[]): void {
  for (const value of values) if (isPromiseLike(value)) Promise.resolve(value).catch(() => {});
}

function isPromiseLike(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}

/** One after the other, each with all below it. */
function fieldsInTurn(
  run: Run,
  fields: readonly FieldPlan[],
  from: number,
  results: Results,
): Results | Promise<Results> {
  for (let at = from; at < fields.length; at++) {
    const field = fields[at];
    if (!field) break;
    const value = fieldValue(run, field, undefined, undefined);
    if (value instanceof Promise) {
      return value.then((settled) => {
        results[field.key] = settled;
        return fieldsInTurn(run, fields, at + 1, results);
      });
    }
    results[field.key] = value;
  }
  return results;
}

/** All at once. */
function fieldsOf(
  run: Run,
  fields: readonly FieldPlan[],
  source: unknown,
  parent: Path | undefined,
): Results | Promise<Results> {
  const results: Results = {};
  let waiting: Promise<void>[] | null = null;
  try {
    for (const field of fields) {
      const value = fieldValue(run, field, source, parent);
      // Takes its place in the order also where it is still to come.
      results[field.key] = value;
      if (value instanceof Promise) (waiting ??= []).push(put(results, field.key, value));
    }
  } catch (error) {
    if (waiting) ignore(waiting);
    throw error;
  }
  return waiting ? allPut(waiting, results) : results;
}

async function allPut(waiting: readonly Promise<void>[], results: Results): Promise<Results> {
  await (waiting.length === 1 ? waiting[0] : Promise.all(waiting));
  return results;
}

function fieldValue(run: Run, field: FieldPlan, source: unknown, parent: Path | undefined): unknown {
  const { definition, value: plan } = field;
  const path: Path = { prev: parent, key: field.key, typename: field.parent.name };
  const info = new FieldInfo(run, field, path);
  try {
    const args = field.argumentsOf(run.variables);
    const given: unknown = (definition.resolve ?? defaultFieldResolver)(source, args, run.context, info);
    return completed(run, plan, info, path, given);
  } catch (error) {
    return run.fail(error, field, path, plan.nonNull);
  }
}

/** Completes a value; of one that is still to come, its error has its place too. */
function completed(run: Run, plan: ValuePlan, info: FieldInfo, path: Path, given: unknown): unknown {
  const value = isPromiseLike(given)
    ? completeLater(run, plan, info, path, given)
    : complete(run, plan, info, path, given);
  return value instanceof Promise ? orFail(run, plan, info, path, value) : value;
}

// What waits stands in functions of its own: closures in the others would cost every field, and most never wait.

function completeLater(run: Run, plan: ValuePlan, info: FieldInfo, path: Path, given: PromiseLike<unknown>) {
  return Promise.resolve(given).then((settled) => {
    if (run.ended) throw new Error('The operation has ended.');
    return complete(run, plan, info, path, settled);
  });
}

function orFail(run: Run, plan: ValuePlan, info: FieldInfo, path: Path, value: Promise<unknown>): Promise<unknown> {
  return value.then(undefined, (error: unknown) => run.fail(error, info.field, path, plan.nonNull));
}

async function put(results: Results, key: string, value: Promise<unknown>): Promise<void> {
  results[key] = await value;
}

function complete(run: Run, plan: ValuePlan, info: FieldInfo, path: Path, value: unknown): unknown {
  if (value instanceof Error) throw value;
  if (value === null || value === undefined) {
    if (!plan.nonNull) return null;
    throw new Error(`Cannot return null for non-nullable field ${info.parentType.name}.${info.fieldName}.`);
  }
  if (plan.kind === 'leaf') return plan.coerce(value);
  return plan.kind === 'list'
    ? completeList(run, plan.item, info, path, value)
    : completeObject(run, plan, info, path, value);
}

function completeList(run: Run, item: ValuePlan, info: FieldInfo, path: Path, value: unknown): unknown {
  if (typeof value === 'object' && value !== null) {
    if (Array.isArray(value)) return completeItems(run, item, info, path, value);
    if (Symbol.iterator in value) return completeItems(run, item, info, path, [...(value as Iterable<unknown>)]);
    if (Symbol.asyncIterator in value) {
      return Array.fromAsync(value as AsyncIterable<unknown>).then((all) => completeItems(run, item, info, path, all));
    }
  }
  throw new GraphQLError(
    `Expected Iterable, but did not find one for field "${info.parentType.name}.${info.fieldName}".`,
  );
}

function completeItems(
  run: Run,
  plan: ValuePlan,
  info: FieldInfo,
  parent: Path,
  items: readonly unknown[],
): unknown[] | Promise<unknown[]> {
  const results: unknown[] = [];
  let waits = false;
  try {
    // Also the places of an array that nothing was put in.
    for (let key = 0; key < items.length; key++) {
      const value = itemValue(run, plan, info, { prev: parent, key, typename: undefined }, items[key]);
      waits ||= value instanceof Promise;
      results.push(value);
    }
  } catch (error) {
    if (waits) ignore(results);
    ignore(items);
    throw error;
  }
  return waits ? Promise.all(results) : results;
}

function itemValue(run: Run, plan: ValuePlan, info: FieldInfo, path: Path, item: unknown): unknown {
  try {
    return completed(run, plan, info, path, item);
  } catch (error) {
    return run.fail(error, info.field, path, plan.nonNull);
  }
}

type ObjectPlan = Extract<ValuePlan, { kind: 'object' }>;

function completeObject(run: Run, plan: ObjectPlan, info: FieldInfo, path: Path, value: unknown): unknown {
  if (!plan.type.isTypeOf) return fieldsOf(run, plan.fields, value, path);
  const isOne = plan.type.isTypeOf(value, run.context, info);
  return isPromiseLike(isOne) ? whenKnown(run, plan, path, value, isOne) : ofType(run, plan, path, value, isOne);
}

function whenKnown(run: Run, plan: ObjectPlan, path: Path, value: unknown, isOne: PromiseLike<boolean>) {
  return Promise.resolve(isOne).then((known) => ofType(run, plan, path, value, known));
}

function ofType(run: Run, { type, fields }: ObjectPlan, path: Path, value: unknown, isOne: boolean): unknown {
  if (isOne) return fieldsOf(run, fields, value, path);
  throw new Error(`Expected value of type "${type.name}" but got another.`);
}
