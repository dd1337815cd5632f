import { GraphQLError, Kind, type ValueNode, valueFromASTUntyped } from 'graphql';
import { type Builder } from './builder.ts';

const rfc3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

function parseDateTime(value: unknown): Date {
  if (typeof value === 'string' && rfc3339.test(value)) {
    const date = new Date(value);
    if (!Number.isNaN(date.getTime())) return date;
  }
  throw new GraphQLError('DateTime wants an RFC 3339 time such as "2026-01-31T12:00:00Z".');
}

/** DateTime and JSON. */
export function addScalars(builder: Builder): void {
  builder.scalarType('DateTime', {
    description: 'A moment as RFC 3339 text in UTC with milliseconds, such as `2026-01-31T12:00:00.000Z`.',
    specifiedByURL: 'https://www.rfc-editor.org/rfc/rfc3339',
    serialize: (value) => new Date(value).toISOString(),
    parseValue: parseDateTime,
    parseLiteral: (node: ValueNode) => parseDateTime(node.kind === Kind.STRING ? node.value : undefined),
  });
  builder.scalarType('JSON', {
    description: 'Any JSON value.',
    serialize: (value) => value,
    parseValue: (value) => value,
    parseLiteral: (node: ValueNode, variables) => valueFromASTUntyped(node, variables),
  });
}
