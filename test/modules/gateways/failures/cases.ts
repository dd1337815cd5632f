/** How a gateway stands: what it asks of callers, and its path. */
export interface Standing {
  auth: { none: true } | { basic: { secretName: string } } | { apiKey: { secretName: string } };
  pathPrefix: string;
}

/** One mutation, from how a gateway stands to how it shall stand; null: not there. */
export interface Operation {
  what: string;
  from: Standing | null;
  to: Standing | null;
}

const open: Standing = { auth: { none: true }, pathPrefix: '/' };
const basic: Standing = { auth: { basic: { secretName: 'users' } }, pathPrefix: '/' };
const others: Standing = { auth: { basic: { secretName: 'others' } }, pathPrefix: '/' };
const keyed: Standing = { auth: { apiKey: { secretName: 'keys' } }, pathPrefix: '/' };
const deeper = (standing: Standing): Standing => ({ ...standing, pathPrefix: '/v2' });

export const operations: readonly Operation[] = [
  { what: 'create, protected', from: null, to: basic },
  { what: 'create, open', from: null, to: open },
  { what: 'update of the protection', from: basic, to: others },
  { what: 'update of the kind of protection, and of the path', from: basic, to: deeper(keyed) },
  { what: 'update of the kind of protection alone', from: keyed, to: basic },
  { what: 'update of the path alone', from: basic, to: deeper(basic) },
  { what: 'update to protected', from: open, to: deeper(keyed) },
  { what: 'update to open', from: basic, to: deeper(open) },
  { what: 'delete, protected', from: basic, to: null },
  { what: 'delete, open', from: open, to: null },
];

export const isOpen = (standing: Standing): boolean => 'none' in standing.auth;
