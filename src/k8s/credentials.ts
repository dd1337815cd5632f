import { readFile } from 'node:fs/promises';
import { noCredentials } from './api-error.ts';
import type { Credentials } from './transport.ts';

/** The same header for every request. */
export function fixedToken(header: string): Credentials {
  return { authorization: () => Promise.resolve(header) };
}

/** A bearer token in a file, read for each request: the kubelet replaces it before it expires. */
export function fileToken(path: string): Credentials {
  return {
    async authorization() {
      try {
        return `Bearer ${(await readFile(path, 'utf8')).trim()}`;
      } catch (error) {
        throw noCredentials(`the token file ${path} can not be read`, error);
      }
    },
  };
}
