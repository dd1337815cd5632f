import SchemaBuilder from '@pothos/core';
import ComplexityPlugin from '@pothos/plugin-complexity';
import DataloaderPlugin from '@pothos/plugin-dataloader';
import ErrorsPlugin from '@pothos/plugin-errors';
import RelayPlugin from '@pothos/plugin-relay';
import ScopeAuthPlugin from '@pothos/plugin-scope-auth';
import ValidationPlugin from '@pothos/plugin-validation';
import { type GraphQLSchema, isObjectType } from 'graphql';
import { SlipwayError } from '../errors.ts';
import type { Context } from '../module.ts';
import { globalId, parseGlobalId } from './ids.ts';
import { type Priced, type RequestLimits, requestLimits, withinCost } from './limits.ts';
import type { InterfaceTypes, ObjectTypes } from './object-types.ts';

export interface SchemaTypes {
  Context: Context;
  Objects: ObjectTypes;
  Interfaces: InterfaceTypes;
  Scalars: {
    ID: { Input: string; Output: string };
    DateTime: { Input: Date; Output: Date | string | number };
    JSON: { Input: unknown; Output: unknown };
  };
  AuthScopes: { signedIn: boolean };
  DefaultFieldNullability: false;
}

/** A Pothos builder with our plug-ins: one for each schema that is built, never shared. */
export function createBuilder({ cost: maxCost }: Pick<RequestLimits, 'cost'> = requestLimits) {
  return new SchemaBuilder<SchemaTypes>({
    // scope-auth stands first so that no other plug-in's wrapper runs for a caller without the scope.
    plugins: [ScopeAuthPlugin, ErrorsPlugin, ValidationPlugin, RelayPlugin, DataloaderPlugin, ComplexityPlugin],
    defaultFieldNullability: false,
    scopeAuth: {
      authScopes: (context) => ({ signedIn: !context.caller.anonymous }),
      unauthorizedError: () => new SlipwayError('UNAUTHENTICATED', 'Sign in first: this needs a valid access token.'),
    },
    errors: { defaultTypes: [] },
    complexity: {
      limit: (context) => ((context as Priced)[withinCost] ? {} : { complexity: maxCost }),
      defaultComplexity: 1,
      defaultListMultiplier: 10,
      complexityError: (_, { complexity }) =>
        new SlipwayError(
          'LIMIT_EXCEEDED',
          `The operation costs ${Math.ceil(complexity)}, more than ${maxCost}: ask for fewer fields or smaller pages.`,
          {
            reason: 'COST',
          },
        ),
    },
    relay: {
      cursorType: 'String',
      encodeGlobalID: (typename, id) => globalId(typename, String(id)),
      decodeGlobalID: (id) => {
        const parsed = parseGlobalId(id);
        return { typename: parsed?.typename ?? '', id: parsed?.local ?? '' };
      },
      idFieldOptions: { description: 'Global id: unique among all types, and what `node` takes.' },
      nodeTypeOptions: { description: 'An object with a global id.' },
      pageInfoTypeOptions: { description: 'Where a page of a list ends.' },
      nodeQueryOptions: {
        description: 'The object behind a global id; null when it is absent or not visible.',
        resolve: (_, { id }, _context, info, resolveNode) =>
          isNodeType(info.schema, id.typename) ? resolveNode(id) : null,
      },
      nodesQueryOptions: {
        description: 'The objects behind global ids, each null when absent or not visible.',
        complexity: ({ ids }) => ({ field: 1, multiplier: ids.length }),
        async resolve(_, args, _context, info, resolveNodes) {
          // Pothos resolves what the arguments hold, whatever it is given; it leaves null as it is.
          const ids = args.ids.map((id) => (isNodeType(info.schema, id.typename) ? id : null));
          Object.assign(args, { ids });
          return resolveNodes(args.ids);
        },
      },
    },
  });
}

/** Whether ids of this type lead to objects: an id that nobody gave out is like one whose object is gone. */
function isNodeType(schema: GraphQLSchema, typename: string): boolean {
  const type = schema.getType(typename);
  return isObjectType(type) && type.getInterfaces().some(({ name }) => name === 'Node');
}

export type Builder = ReturnType<typeof createBuilder>;

/**
 * Makes a ref once for each builder. A Pothos ref holds state, so one declared at module scope breaks the second
 * schema in a process.
 */
export function perBuilder<T>(make: (builder: Builder) => T): (builder: Builder) => T {
  const made = new WeakMap<Builder, { ref: T }>();
  return (builder) => {
    const present = made.get(builder);
    if (present) return present.ref;
    const ref = make(builder);
    made.set(builder, { ref });
    return ref;
  };
}
