import { readFileSync } from 'node:fs';
import {
  type GraphQLArgument,
  type GraphQLField,
  type GraphQLInputField,
  type GraphQLNamedType,
  type GraphQLSchema,
  buildSchema as parseSdl,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isIntrospectionType,
  isObjectType,
  isSpecifiedScalarType,
  Kind,
  print,
} from 'graphql';
import { describe, expect, test } from 'vitest';
import { builtinModules } from '../../src/modules/index.ts';
import { buildSchema, printSdl } from '../../src/schema/build.ts';

const contract = parseSdl(readFileSync(new URL('../fixtures/contract.graphql', import.meta.url), 'utf8'));
const schema = buildSchema(builtinModules);
/** As clients read it. */
const printed = parseSdl(printSdl(schema));

/** The order of an input object's fields means nothing. */
const defaultOf = ({ default: value }: GraphQLArgument | GraphQLInputField) => {
  if (!value?.literal) return 'none';
  const { literal } = value;
  return literal.kind === Kind.OBJECT
    ? literal.fields
        .map((field) => print(field))
        .toSorted()
        .join()
    : print(literal);
};

/** Every member of the contract as `coordinate: type = default`; the schema must have each as it is. */
function coordinates(from: GraphQLSchema): Map<string, string> {
  const found = new Map<string, string>();
  const inputs = (prefix: string, items: readonly (GraphQLArgument | GraphQLInputField)[]) => {
    for (const item of items) found.set(`${prefix}${item.name}`, `${String(item.type)} = ${defaultOf(item)}`);
  };
  const fields = (type: string, items: GraphQLField<unknown, unknown>[]) => {
    for (const field of items) {
      found.set(`${type}.${field.name}`, String(field.type));
      inputs(`${type}.${field.name}:`, field.args);
    }
  };
  for (const type of Object.values(from.getTypeMap())) {
    if (isIntrospectionType(type) || isSpecifiedScalarType(type)) continue;
    found.set(type.name, kindOf(type));
    if (isObjectType(type) || isInterfaceType(type)) {
      fields(type.name, Object.values(type.getFields()));
      for (const parent of type.getInterfaces()) found.set(`${type.name} implements ${parent.name}`, 'yes');
    } else if (isInputObjectType(type)) inputs(`${type.name}.`, Object.values(type.getFields()));
    else if (isEnumType(type)) for (const value of type.getValues()) found.set(`${type.name}.${value.name}`, 'value');
  }
  return found;
}

function kindOf(type: GraphQLNamedType): string {
  return isInputObjectType(type) && type.isOneOf ? 'InputObject @oneOf' : type.constructor.name;
}

describe('the generated schema', () => {
  test('holds every member of the contract as it is', () => {
    const ours = coordinates(printed);
    const missing = [...coordinates(contract)]
      .filter(([coordinate, shape]) => ours.get(coordinate) !== shape)
      .map(([coordinate, shape]) => `${coordinate}: wanted ${shape}, is ${ours.get(coordinate) ?? 'absent'}`);
    expect(missing).toEqual([]);
  });

  test('is what is committed in src/schema/schema.graphql', () => {
    const committed = readFileSync(new URL('../../src/schema/schema.graphql', import.meta.url), 'utf8');
    expect(printSdl(schema)).toBe(committed);
  });

  test('describes every type, field, argument and enum value', () => {
    const bare: string[] = [];
    const check = (coordinate: string, item: { description?: string | null | undefined }) => {
      if (!item.description?.trim()) bare.push(coordinate);
    };
    for (const type of Object.values(schema.getTypeMap())) {
      if (isIntrospectionType(type) || isSpecifiedScalarType(type)) continue;
      check(type.name, type);
      if (isObjectType(type) || isInterfaceType(type)) {
        for (const field of Object.values(type.getFields())) {
          check(`${type.name}.${field.name}`, field);
          for (const arg of field.args) check(`${type.name}.${field.name}(${arg.name})`, arg);
        }
      } else if (isInputObjectType(type)) {
        for (const field of Object.values(type.getFields())) check(`${type.name}.${field.name}`, field);
      } else if (isEnumType(type)) for (const value of type.getValues()) check(`${type.name}.${value.name}`, value);
    }
    expect(bare).toEqual([]);
  });

  test('is the same however often it is built in a process', () => {
    expect(printSdl(buildSchema(builtinModules))).toBe(printSdl(schema));
  });
});
