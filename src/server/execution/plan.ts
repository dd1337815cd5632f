import {
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLField,
  type GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLSchema,
  Kind,
  type OperationDefinitionNode,
  OperationTypeNode,
  type SelectionSetNode,
  isInterfaceType,
  isLeafType,
  isListType,
  isNonNullType,
  isObjectType,
} from 'graphql';
import { type CoerceArguments, type CoerceVariables, planArguments, planVariables } from './input.ts';

/** One field of an object, wherever in the answer that is. */
export interface FieldPlan {
  /** Its name in the answer. */
  readonly key: string;
  readonly nodes: readonly FieldNode[];
  readonly parent: GraphQLObjectType;
  readonly definition: GraphQLField<unknown, unknown>;
  readonly argumentsOf: CoerceArguments;
  readonly value: ValuePlan;
}

/** How what a resolver gives becomes a part of the answer. */
export type ValuePlan =
  | { readonly kind: 'leaf'; readonly nonNull: boolean; readonly coerce: (value: unknown) => unknown }
  | { readonly kind: 'list'; readonly nonNull: boolean; readonly item: ValuePlan }
  | {
      readonly kind: 'object';
      readonly nonNull: boolean;
      readonly type: GraphQLObjectType;
      readonly fields: readonly FieldPlan[];
    };

/** All that is the same whenever an operation is carried out. */
export interface OperationPlan {
  readonly schema: GraphQLSchema;
  readonly operation: OperationDefinitionNode;
  readonly variablesOf: CoerceVariables;
  readonly fragments: Readonly<Record<string, FragmentDefinitionNode>>;
  readonly fields: readonly FieldPlan[];
  readonly serial: boolean;
  /** No field says by a function what it costs: it is the same for all variables and callers. */
  readonly costIsFixed: boolean;
}

/** Larger ones are few, and would take more memory than they are worth. */
const mostFields = 300;

/** Thrown where an operation has what depends on its variables or its values. */
class NotPlannable extends Error {}

/**
 * The plan of an operation of a valid document; null for those that have a directive, or a field of an abstract type, or are
 * very large.
 */
export function planOperation(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
): OperationPlan | null {
  const root = schema.getRootType(operation.operation);
  if (!root || operation.directives?.length) return null;
  const fragments = Object.create(null) as Record<string, FragmentDefinitionNode>;
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments[definition.name.value] = definition;
  }
  try {
    const planner = new Planner(schema, fragments);
    const fields = planner.fieldsOf(root, [operation.selectionSet]);
    const serial = operation.operation === OperationTypeNode.MUTATION;
    const variablesOf = planVariables(schema, operation.variableDefinitions ?? []);
    return { schema, operation, variablesOf, fragments, fields, serial, costIsFixed: planner.costIsFixed };
  } catch (error) {
    if (error instanceof NotPlannable) return null;
    throw error;
  }
}

class Planner {
  readonly #schema: GraphQLSchema;
  readonly #fragments: Readonly<Record<string, FragmentDefinitionNode>>;
  #count = 0;
  costIsFixed = true;

  constructor(schema: GraphQLSchema, fragments: Readonly<Record<string, FragmentDefinitionNode>>) {
    this.#schema = schema;
    this.#fragments = fragments;
  }

  fieldsOf(parent: GraphQLObjectType, sets: readonly SelectionSetNode[]): FieldPlan[] {
    const nodes = new Map<string, FieldNode[]>();
    const visited = new Set<string>();
    for (const set of sets) this.#collect(parent, set, nodes, visited);
    return Array.from(nodes, ([key, same]) => this.#field(parent, key, same));
  }

  /** The nodes of each name in the answer, in its order. */
  #collect(
    parent: GraphQLObjectType,
    { selections }: SelectionSetNode,
    nodes: Map<string, FieldNode[]>,
    visited: Set<string>,
  ): void {
    for (const selection of selections) {
      if (selection.directives?.length) throw new NotPlannable();
      if (selection.kind === Kind.FIELD) {
        const key = (selection.alias ?? selection.name).value;
        const same = nodes.get(key);
        if (same) same.push(selection);
        else nodes.set(key, [selection]);
      } else if (selection.kind === Kind.INLINE_FRAGMENT) {
        if (this.#applies(parent, selection.typeCondition?.name.value))
          this.#collect(parent, selection.selectionSet, nodes, visited);
      } else if (!visited.has(selection.name.value)) {
        visited.add(selection.name.value);
        const fragment = this.#fragments[selection.name.value];
        if (fragment && this.#applies(parent, fragment.typeCondition.name.value))
          this.#collect(parent, fragment.selectionSet, nodes, visited);
      }
    }
  }

  #applies(parent: GraphQLObjectType, condition: string | undefined): boolean {
    if (condition === undefined || condition === parent.name) return true;
    const type = this.#schema.getType(condition);
    if (isObjectType(type)) return false;
    if (!isInterfaceType(type)) throw new NotPlannable();
    return this.#schema.isSubType(type, parent);
  }

  #field(parent: GraphQLObjectType, key: string, nodes: FieldNode[]): FieldPlan {
    const [node] = nodes;
    const definition = node && this.#schema.getField(parent, node.name.value);
    // An object's prototype is set by that name.
    if (!definition || key === '__proto__' || ++this.#count > mostFields) throw new NotPlannable();
    if (typeof definition.extensions['complexity'] === 'function') this.costIsFixed = false;
    return {
      key,
      nodes,
      parent,
      definition,
      argumentsOf: planArguments(definition, node),
      value: this.#value(definition.type, nodes),
    };
  }

  #value(type: GraphQLOutputType, nodes: readonly FieldNode[]): ValuePlan {
    const nonNull = isNonNullType(type);
    const inner = nonNull ? type.ofType : type;
    if (isListType(inner)) return { kind: 'list', nonNull, item: this.#value(inner.ofType, nodes) };
    if (isLeafType(inner)) return { kind: 'leaf', nonNull, coerce: coercerOf(inner) };
    if (!isObjectType(inner)) throw new NotPlannable();
    const sets = nodes.map(({ selectionSet }) => selectionSet).filter((set) => set !== undefined);
    return { kind: 'object', nonNull, type: inner, fields: this.fieldsOf(inner, sets) };
  }
}

function coercerOf(type: Extract<GraphQLOutputType, { coerceOutputValue: unknown }>): (value: unknown) => unknown {
  return (value) => {
    const coerced: unknown = type.coerceOutputValue(value);
    if (coerced == null) throw new Error(`${type.name} has no form for what a resolver gave.`);
    return coerced;
  };
}
