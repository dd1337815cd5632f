import { GraphQLSchema, isObjectType, isInterfaceType, lexicographicSortSchema, printSchema } from 'graphql';
import type { AnyModule } from '../module.ts';
import { createBuilder } from './builder.ts';
import { addCore } from './core.ts';
import { type RequestLimits, requestLimits } from './limits.ts';

/** The schema of the core and these modules. Pure: may run many times in a process, with no cluster. */
export function buildSchema(
  modules: readonly AnyModule[],
  atMost: Pick<RequestLimits, 'cost'> = requestLimits,
): GraphQLSchema {
  const builder = createBuilder(atMost);
  addCore(builder);
  builder.mutationType({
    description: 'What can be changed. Each field is null when it failed, so one failure never hides another result.',
  });
  builder.subscriptionType({ description: 'What can be watched.' });
  for (const module of modules) module.schema?.(builder);
  const schema = withoutEmptyRoots(builder.toSchema({ sortSchema: false }));
  describeRelayTypes(schema);
  return schema;
}

/** The schema as text, sorted so that equal schemas print alike. */
export function printSdl(schema: GraphQLSchema): string {
  return `${printSchema(lexicographicSortSchema(schema))}\n`;
}

/** With no module that changes or streams anything, the root would be a type without fields, which is no valid schema. */
function withoutEmptyRoots(schema: GraphQLSchema): GraphQLSchema {
  const config = schema.toConfig();
  const empty = [config.mutation, config.subscription].filter(
    (type) => type && Object.keys(type.getFields()).length === 0,
  );
  if (empty.length === 0) return schema;
  return new GraphQLSchema({
    ...config,
    mutation: empty.includes(config.mutation) ? null : (config.mutation ?? null),
    subscription: empty.includes(config.subscription) ? null : (config.subscription ?? null),
    types: config.types.filter((type) => !empty.some((root) => root === type)),
  });
}

const relayDescriptions: Record<string, string> = {
  'Node.id': 'The global id.',
  'PageInfo.hasNextPage': 'Whether more follows this page.',
  'PageInfo.hasPreviousPage': 'Whether something comes before this page.',
  'PageInfo.startCursor': 'The cursor of the first item; null on an empty page.',
  'PageInfo.endCursor': 'The cursor of the last item; null on an empty page.',
  'Query.node(id)': 'A global id.',
  'Query.nodes(ids)': 'Global ids.',
};

/** The relay plug-in has no option for the descriptions of its own fields. */
function describeRelayTypes(schema: GraphQLSchema): void {
  for (const typename of ['Node', 'PageInfo', 'Query']) {
    const type = schema.getType(typename);
    if (!isObjectType(type) && !isInterfaceType(type)) continue;
    for (const field of Object.values(type.getFields())) {
      field.description ??= relayDescriptions[`${typename}.${field.name}`];
      for (const arg of field.args) arg.description ??= relayDescriptions[`${typename}.${field.name}(${arg.name})`];
    }
  }
}
