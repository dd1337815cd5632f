import { type KubeObject, resource } from './kinds.ts';

/** traefik.io/v1alpha1 Middleware. */
export interface Middleware extends KubeObject {
  spec: {
    basicAuth?: { secret?: string; realm?: string; removeHeader?: boolean; headerField?: string };
  } & Record<string, unknown>;
}

export const middlewares = resource<Middleware>('traefik.io', 'v1alpha1', 'Middleware', 'middlewares');
