import { afterEach } from 'vitest';
import { type Invocation, type InvokeServer, invocationFields, startInvokeServer } from './surface.ts';

interface PageAnswer {
  invocations: {
    totalCount: number;
    nodes: Invocation[];
    edges: { cursor: string }[];
    pageInfo: { hasNextPage: boolean; hasPreviousPage: boolean; startCursor: string | null; endCursor: string | null };
  };
}

export const list = `query ($filter: InvocationFilter, $first: Int, $after: String, $last: Int, $before: String) {
  invocations(filter: $filter, first: $first, after: $after, last: $last, before: $before) {
    totalCount nodes { ${invocationFields} } edges { cursor }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}`;
const replayInvocation = `mutation ($input: ReplayInvocationInput!) {
  replayInvocation(input: $input) { invocation { ${invocationFields} } }
}`;
export const deleteInvocations =
  'mutation ($input: DeleteInvocationsInput!) { deleteInvocations(input: $input) { deleted } }';
/** Servers on databases of `newUrl`, stopped after each test, and what their history is asked. */
export function historyWorld(newUrl: () => Promise<string>) {
  const servers: InvokeServer[] = [];
  afterEach(async () => {
    for (const server of servers.splice(0)) await server.stop();
  });

  const start = async (
    invoke: Record<string, unknown> = {},
    more: Omit<NonNullable<Parameters<typeof startInvokeServer>[0]>, 'config'> = {},
  ): Promise<InvokeServer> => {
    const server = await startInvokeServer({ ...more, config: { invoke: { historyUrl: await newUrl(), ...invoke } } });
    servers.push(server);
    return server;
  };
  const page = async (server: InvokeServer, variables: object = {}) =>
    (await server.data<PageAnswer>(list, variables as Record<string, unknown>)).invocations;
  const paths = async (server: InvokeServer, variables: object = {}) =>
    (await page(server, variables)).nodes.map(({ request }) => new URL(request.url).pathname);
  const replay = async (server: InvokeServer, input: object) =>
    server.query<{ replayInvocation: { invocation: Invocation } | null }>(replayInvocation, { input });
  const deleted = async (server: InvokeServer, input: object) =>
    (await server.data<{ deleteInvocations: { deleted: number } }>(deleteInvocations, { input })).deleteInvocations
      .deleted;

  return { start, page, paths, replay, deleted };
}
