import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { SlipwayError, invalid } from '../../errors.ts';
import type { RouteHandler } from '../../module.ts';
import { maxPageSize } from '../../schema/paging.ts';
import { type Outcome, outcomes } from './failure.ts';
import { harEntry } from './har.ts';
import type { History, InvocationFilter } from './history.ts';

const parameters = ['serviceRunId', 'outcome', 'search'];

/** The caller's own history as an HTTP Archive, newest first; parameters filter it like the query's. */
export function serveHar(history: History): RouteHandler {
  return async (request, response, caller) => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    if (url.pathname !== '/invocations.har') throw new SlipwayError('NOT_FOUND', 'There is nothing here.');
    if (request.method !== 'GET') throw new SlipwayError('NOT_SUPPORTED', 'Only GET is supported here.');
    const filter = filterOf(url.searchParams);
    const entries = archived(history, caller.name, filter);
    // The first page before the head: a database that is gone is an error with its status.
    const first = await entries.next();
    response.writeHead(200, {
      'content-type': 'application/json; charset=utf-8',
      'content-disposition': 'attachment; filename="invocations.har"',
      'cache-control': 'no-store',
    });
    const creator = { name: 'Slipway', version: '1' };
    await write(response, `{"log":{"version":"1.2","creator":${JSON.stringify(creator)},"entries":[`);
    let separator = '\n';
    for (let next = first; !next.done && !response.destroyed; next = await entries.next()) {
      await write(response, separator + next.value.map((entry) => JSON.stringify(entry)).join(',\n'));
      separator = ',\n';
    }
    response.end('\n]}}\n');
  };
}

function filterOf(query: URLSearchParams): InvocationFilter {
  for (const name of query.keys()) {
    if (!parameters.includes(name)) {
      throw invalid(name, `There is no parameter "${name}". Use ${parameters.join(', ')}.`, 'PARAMETER');
    }
  }
  const wanted = query.getAll('outcome');
  const unknown = wanted.find((outcome) => !outcomes.includes(outcome as Outcome));
  if (unknown !== undefined) {
    throw invalid('outcome', `"${unknown}" is no outcome. Use one of ${outcomes.join(', ')}.`, 'PARAMETER');
  }
  return {
    serviceRunId: query.get('serviceRunId'),
    outcome: wanted.length > 0 ? (wanted as Outcome[]) : null,
    search: query.get('search'),
  };
}

/** Page by page, so that an archive of any size needs little memory. */
async function* archived(
  history: History,
  caller: string,
  filter: InvocationFilter,
): AsyncGenerator<object[], undefined> {
  let after: string | null = null;
  do {
    const page = await history.page(caller, filter, { first: maxPageSize, after });
    const entries = page.edges.map(({ node }) => node);
    const bodies = await history.bodies(
      caller,
      entries.map(({ id }) => id),
    );
    if (entries.length > 0) yield entries.map((entry) => harEntry(entry, bodies.get(entry.id)));
    after = page.pageInfo.hasNextPage ? page.pageInfo.endCursor : null;
  } while (after !== null);
}

async function write(response: ServerResponse, text: string): Promise<void> {
  if (response.write(text) || response.destroyed) return;
  await Promise.race([once(response, 'drain'), once(response, 'close')]);
}
