import { readFile } from 'node:fs/promises';
import { ApiError } from './api-error.ts';
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
        throw new ApiError(401, 'Unauthorized', `the token file ${path} can not be read`, { cause: error });
      }
    },
  };
}
