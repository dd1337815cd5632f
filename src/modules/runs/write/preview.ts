import { globalId } from '../../../schema/ids.ts';
import type { RunView } from '../service.ts';
import { runTypename } from '../view.ts';

/** A run as it would be: under an id that does not resolve, so that nobody takes it for a real one. */
export function preview(run: RunView): RunView {
  const key = `dry-run:${run.key}`;
  return { ...run, key, id: globalId(runTypename, key) };
}
