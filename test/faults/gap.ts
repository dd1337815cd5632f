import type { Watching } from './watching.ts';

/** Changes while nobody watches: one of each kind, and a name that is taken anew. */
export function changeInTheGap({ api }: Watching): void {
  api.put('changed', 2);
  api.remove('gone');
  api.remove('again');
  api.put('again', 2);
  api.put('new');
}

/** What is there before. */
export function prepare(api: Watching['api']): void {
  for (const name of ['changed', 'gone', 'again']) api.put(name);
}

/** The events of `prepare`. */
export const first = ['ADDED changed uid-1 1', 'ADDED gone uid-2 1', 'ADDED again uid-3 1'];
/** The events of `changeInTheGap` when each change comes by itself. */
export const gap = [
  'MODIFIED changed uid-1 2',
  'DELETED gone uid-2 1',
  'DELETED again uid-3 1',
  'ADDED again uid-4 2',
  'ADDED new uid-5 1',
];

/** And when a list tells of them: first what is gone. */
export const gapByList = [
  'DELETED gone uid-2 1',
  'DELETED again uid-3 1',
  'MODIFIED changed uid-1 2',
  'ADDED again uid-4 2',
  'ADDED new uid-5 1',
];
