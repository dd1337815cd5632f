import type { ObjectTypes } from './object-types.ts';
import type { Builder } from './builder.ts';

/**
 * Declares `<Node>Connection` and `<Node>Edge` with edges, nodes, pageInfo and totalCount, as in the contract. The
 * value behind a connection is a Page; add further fields with `builder.objectField('<Node>Connection', …)`.
 */
export function addConnection(builder: Builder, node: keyof ObjectTypes, plural: string): void {
  const [edgeName, connectionName] = [`${node}Edge`, `${node}Connection`];
  // The names are computed, which the string-keyed type map can't follow: the one place where refs are untyped.
  const edge = builder.objectRef<{ cursor: string; node: never }>(edgeName);
  edge.implement({
    description: `One of the ${plural} in a list, with its place.`,
    fields: (t) => ({
      cursor: t.exposeString('cursor', { description: 'The place in the list, for `after` and `before`.' }),
      node: t.field({ type: node as never, description: 'The item.', resolve: (parent) => parent.node }),
    }),
  });
  builder.objectRef<Connection>(connectionName).implement({
    description: `A page of ${plural}.`,
    fields: (t) => ({
      edges: t.field({ type: [edge], description: 'The items with their cursors.', resolve: (page) => page.edges }),
      nodes: t.field({
        type: [node] as never,
        description: 'The items alone.',
        resolve: (page) => page.edges.map((item) => item.node) as never,
      }),
      pageInfo: t.field({
        type: builder.pageInfoRef(),
        description: 'Where this page ends.',
        resolve: (page) => page.pageInfo,
      }),
      totalCount: t.exposeInt('totalCount', { description: 'How many there are on all pages.' }),
    }),
  });
}

interface Connection {
  edges: { cursor: string; node: never }[];
  pageInfo: PageInfo;
  totalCount: number;
}

interface PageInfo {
  hasNextPage: boolean;
  hasPreviousPage: boolean;
  startCursor: string | null;
  endCursor: string | null;
}
