import { accessSync, constants } from 'node:fs';
import { resolve } from 'node:path';
import { BootError } from '../boot-error.ts';
import type { Pem } from './tls.ts';

/** A cluster, context or user of a kubeconfig. */
export interface NamedEntry {
  name?: string;
  cluster?: Record<string, unknown>;
  context?: Record<string, unknown>;
  user?: Record<string, unknown>;
  /** The file it stands in. */
  file: string;
  /** That file's folder: paths are relative to it. */
  folder: string;
}

/** `<name>-data` in base64, else the file named by `<name>`. */
export function pemOf(entry: NamedEntry, source: Record<string, unknown>, name: string): Pem | undefined {
  const inline = text(source[`${name}-data`]);
  if (inline) return { text: Buffer.from(inline, 'base64').toString('utf8') };
  const named = text(source[name]);
  if (!named) return undefined;
  const path = resolve(entry.folder, named);
  try {
    accessSync(path, constants.R_OK);
  } catch {
    throw problem(`The kubeconfig's ${name} ${named} of "${entry.name}" can not be read.`, 'Correct the path.');
  }
  return { path };
}

/** A string with something in it. */
export function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

export function problem(message: string, remedy: string): BootError {
  return new BootError([{ module: 'server', field: 'SLIPWAY_CLUSTER', message, remedy }]);
}
