import { afterAll, beforeAll, describe, it } from 'vitest';
import { namespaces, type Resource, resourcePath } from '../../../src/k8s/resources.ts';
import { Api, type Target } from './api.ts';

/** What a case works with: an API server and a namespace of its topic. */
export interface World {
  api: Api;
  namespace: string;
  /** The path of a kind's collection or of one object, in the topic's namespace. */
  path: (resource: Resource, name?: string, subresource?: string) => string;
}

/** Behaviour of a Kubernetes API server, each case by the sentence that it proves. */
export interface Topic {
  name: string;
  cases: Record<string, (world: World) => Promise<void>>;
}

export interface OpenTarget extends Target {
  /** Waits until controllers have done with a new namespace. */
  prepare?(api: Api, namespace: string): Promise<void>;
  close?(): Promise<void>;
}

/**
 * Runs topics against a server. What a case needs beyond a namespace it makes itself, under names no other case uses:
 * on a real cluster controllers are at work too, so no case may rely on being alone with what controllers change.
 */
export function runTopics(topics: readonly Topic[], open: () => Promise<OpenTarget>): void {
  let target: OpenTarget;
  let api: Api;
  beforeAll(async () => {
    target = await open();
    api = new Api(target);
  });
  afterAll(async () => {
    await api.close();
    await target.close?.();
  });
  describe.for(topics)('$name', ({ cases }) => {
    let namespace = '';
    beforeAll(async () => {
      const made = await api.post(resourcePath(namespaces), { metadata: { generateName: 'conformance-' } });
      namespace = made.object.metadata.name;
      await target.prepare?.(api, namespace);
    });
    afterAll(async () => {
      await api.delete(resourcePath(namespaces, undefined, namespace));
    });
    // oxlint-disable-next-line vitest/expect-expect -- the cases assert
    it.for(Object.entries(cases))('%s', ([, run]) =>
      run({
        api,
        namespace,
        path: (resource, object, subresource) => resourcePath(resource, namespace, object, subresource),
      }),
    );
  });
}
