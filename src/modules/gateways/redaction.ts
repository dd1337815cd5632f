import type { Redaction } from '../invoke/service.ts';
import type { Gateways } from './service.ts';

/** The headers in which gateways expect API keys never reach the history of calls in the clear. */
export function apiKeyRedaction(gateways: Pick<Gateways, 'all' | 'revision'>): Redaction {
  let names = new Set<string>();
  let revision = -1;
  return {
    redacts(kind, name) {
      if (kind !== 'header') return false;
      if (revision !== gateways.revision) {
        names = new Set([...gateways.all()].flatMap(({ auth }) => auth.headerName?.toLowerCase() ?? []));
        revision = gateways.revision;
      }
      return names.has(name);
    },
  };
}
