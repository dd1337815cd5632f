import { readFileSync } from 'node:fs';
import { buildSchema, isEnumType } from 'graphql';

const contract = buildSchema(readFileSync(new URL('../fixtures/contract.graphql', import.meta.url), 'utf8'));

/** The values of an enum of the contract. */
export function contractEnum(name: string): string[] {
  const type = contract.getType(name);
  if (!isEnumType(type)) throw new Error(`The contract has no enum ${name}.`);
  return type.getValues().map((value) => value.name);
}
