import type { LogOptions } from '../../cluster.ts';
import type { Pod } from '../../resources.ts';
import type { Core } from './core.ts';
import { getObject } from './read.ts';
import type { PodLogs } from './service.ts';
import { badRequest, noSuchResource, unclassified } from './status.ts';

export interface PodLogSource {
  serve(logs: PodLogs): void;
  /** Refuses at once what can't be read; the bytes come as they are there. */
  open(namespace: string, name: string, options: LogOptions): AsyncIterable<Uint8Array>;
}

/** The log subresource of Pods: the runtime has the bytes. */
export function createPodLogs(core: Core): PodLogSource {
  let source: PodLogs | undefined;
  return {
    serve(logs) {
      source = logs;
    },
    open(namespace, name, options) {
      const pods = core.ofKind('v1', 'Pod');
      if (!pods) throw noSuchResource();
      const pod = getObject(core, pods, namespace, name) as unknown as Pod;
      const container = chooseContainer(pod, options.container);
      if (!source) throw unclassified('The logs are not there yet: the runtime of this cluster is starting.');
      return source.read({ namespace, name, uid: pod.metadata.uid ?? '' }, { ...options, container });
    },
  };
}

function chooseContainer({ metadata, spec }: Pod, asked: string | undefined): string {
  const names = spec.containers.map((each) => each.name);
  const initNames = (spec.initContainers ?? []).map((each) => each.name);
  if (asked) {
    if ([...names, ...initNames].includes(asked)) return asked;
    throw badRequest(`container ${asked} is not valid for pod ${metadata.name}`);
  }
  const [only] = names;
  if (only !== undefined && names.length === 1 && initNames.length === 0) return only;
  const init = initNames.length > 0 ? ` or one of the init containers: [${initNames.join(' ')}]` : '';
  throw badRequest(
    `a container name must be specified for pod ${metadata.name}, choose one of: [${names.join(' ')}]${init}`,
  );
}
