import {
  type FieldNode,
  type GraphQLError,
  type GraphQLField,
  type GraphQLInputField,
  type GraphQLInputObjectType,
  type GraphQLInputType,
  type GraphQLResolveInfo,
  type GraphQLSchema,
  Kind,
  type VariableDefinitionNode,
  coerceInputLiteral,
  coerceInputValue,
  getArgumentValues,
  getVariableValues,
  isInputObjectType,
  isInputType,
  isListType,
  isNonNullType,
  isRequiredArgument,
  isRequiredInputField,
  typeFromAST,
} from 'graphql';

export type VariableValues = GraphQLResolveInfo['variableValues'];

/** Values by name. */
type Values = Record<string, unknown>;

/** The value as a resolver gets it; undefined when it is not of the type. */
type Coerce = (value: unknown) => unknown;

/** The variables of a request as resolvers get them, or what is wrong with them. */
export type CoerceVariables = (
  given: Readonly<Values>,
) => { variableValues: VariableValues; errors?: never } | { errors: readonly GraphQLError[]; variableValues?: never };

/** The arguments of a field. Throws what is wrong with them. */
export type CoerceArguments = (variables: VariableValues) => Values;

/** An object that inherits nothing, and keeps the shape of all that get the same members. */
const Blank = function () {} as unknown as { new (): Values; prototype: object };
Blank.prototype = Object.create(null) as object;

/** Does as graphql-js, which is asked itself about all that is not right, and about variables with default values. */
export function planVariables(schema: GraphQLSchema, definitions: readonly VariableDefinitionNode[]): CoerceVariables {
  const byGraphQL: CoerceVariables = (given) => getVariableValues(schema, definitions, given, { maxErrors: 50 });
  const variables = definitions.map((definition) => {
    const type = typeFromAST(schema, definition.type);
    if (definition.defaultValue || !isInputType(type)) return null;
    const name = definition.variable.name.value;
    return { name, signature: { name, type, default: undefined }, coerce: coercerOf(type, new Map()) };
  });
  if (!variables.every((variable) => variable !== null)) return byGraphQL;
  return (given) => {
    const [sources, coerced] = [new Blank(), new Blank()];
    for (const { name, signature, coerce } of variables) {
      const value = Object.hasOwn(given, name) ? given[name] : undefined;
      sources[name] = value === undefined ? { signature } : { signature, value };
      if (value === undefined && !isNonNullType(signature.type)) continue;
      const right = coerce(value);
      if (right === undefined) return byGraphQL(given);
      coerced[name] = right;
    }
    return { variableValues: { sources, coerced } as VariableValues };
  };
}

/** Does as graphql-js, which is asked itself where an argument is more than a variable. */
export function planArguments(definition: GraphQLField<unknown, unknown>, node: FieldNode): CoerceArguments {
  const byGraphQL: CoerceArguments = (variables) => getArgumentValues(definition, node, variables);
  if (definition.args.length === 0) return () => ({});
  const given = new Map(node.arguments?.map(({ name, value }) => [name.value, value]));
  const planned: { name: string; variable: string; mayBeAbsent: boolean; mayBeNull: boolean }[] = [];
  for (const argument of definition.args) {
    const value = given.get(argument.name);
    const mayBeAbsent = !isRequiredArgument(argument) && !hasDefault(argument);
    if (!value && mayBeAbsent) continue;
    if (value?.kind !== Kind.VARIABLE) return byGraphQL;
    const mayBeNull = !isNonNullType(argument.type);
    planned.push({ name: argument.name, variable: value.name.value, mayBeAbsent, mayBeNull });
  }
  return (variables) => {
    const values = new Blank();
    for (const { name, variable, mayBeAbsent, mayBeNull } of planned) {
      const value = variables.coerced[variable];
      if (value === undefined && mayBeAbsent) continue;
      if (value === undefined || (value === null && !mayBeNull)) return byGraphQL(variables);
      values[name] = value;
    }
    return values;
  };
}

/** The input objects that were met before, which may hold one another. */
type Known = Map<GraphQLInputObjectType, Coerce>;

function coercerOf(type: GraphQLInputType, known: Known): Coerce {
  if (isNonNullType(type)) {
    const coerce = coercerOf(type.ofType, known);
    return (value) => (value == null ? undefined : coerce(value));
  }
  if (isListType(type)) return listCoercer(type.ofType, known, (value) => coerceInputValue(value, type));
  if (isInputObjectType(type)) {
    const present = known.get(type);
    if (present) return present;
    // It may have itself among its members.
    known.set(type, (value) => coerce(value));
    const coerce = objectCoercer(type, known);
    return coerce;
  }
  return (value) => {
    if (value == null) return null;
    try {
      return type.coerceInputValue(value);
    } catch {
      return undefined;
    }
  };
}

function listCoercer(type: GraphQLInputType, known: Known, byGraphQL: Coerce): Coerce {
  const coerce = coercerOf(type, known);
  return (value) => {
    // One item may stand for a list of it.
    if (!Array.isArray(value)) return value == null ? null : byGraphQL(value);
    const items: unknown[] = [];
    for (const item of value) {
      const right = coerce(item);
      if (right === undefined) return undefined;
      items.push(right);
    }
    return items;
  };
}

function objectCoercer(type: GraphQLInputObjectType, known: Known): Coerce {
  const members = Object.values(type.getFields()).map((field) => ({
    name: field.name,
    required: isRequiredInputField(field),
    default: defaultOf(field),
    coerce: coercerOf(field.type, known),
  }));
  const names = new Set(members.map(({ name }) => name));
  if (type.isOneOf) return (value) => coerceInputValue(value, type);
  return (value) => {
    if (value == null) return null;
    if (typeof value !== 'object' || Array.isArray(value)) return undefined;
    const given = value as Values;
    for (const name of Object.keys(given)) if (!names.has(name) && given[name] !== undefined) return undefined;
    const values = new Blank();
    for (const member of members) {
      const present = given[member.name];
      if (present === undefined && member.required) return undefined;
      const right = present === undefined ? member.default : member.coerce(present);
      if (right !== undefined) values[member.name] = right;
      else if (present !== undefined) return undefined;
    }
    return values;
  };
}

function defaultOf({ default: input, defaultValue, type }: GraphQLInputField): unknown {
  if (input === undefined) return defaultValue;
  return input.literal ? coerceInputLiteral(input.literal, type) : coerceInputValue(input.value, type);
}

function hasDefault({ default: input, defaultValue }: Pick<GraphQLInputField, 'default' | 'defaultValue'>): boolean {
  return input !== undefined || defaultValue !== undefined;
}
