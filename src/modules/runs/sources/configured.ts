import { matchesSelector, parseLabelSelector } from '../../../k8s/selectors.ts';
import type { SourceConfig } from '../config.ts';
import type { RunIdentity, RunSource } from '../service.ts';
import { toProtocol } from './protocol.ts';

const instanceLabel = 'app.kubernetes.io/instance';

/** A source that the configuration describes: a selector and the label behind each field. */
export function configuredSource(config: SourceConfig): RunSource {
  const selector = parseLabelSelector(config.labelSelector);
  return {
    name: config.name,
    identify(object) {
      const labels = object.metadata.labels ?? {};
      if (!matchesSelector(selector, labels)) return null;
      const read = (field: keyof SourceConfig['labels']): string | null => {
        const key = config.labels[field];
        return (key !== undefined && labels[key]) || null;
      };
      const name = read('name');
      return {
        runId: read('runId') ?? labels[instanceLabel] ?? object.metadata.name,
        ...(name !== null && { name }),
        project: read('project'),
        function: read('function'),
        kind: read('kind') ?? config.kind ?? null,
        user: read('user'),
        protocol: toProtocol(read('protocol') ?? undefined) ?? config.protocol,
        model: read('model'),
      } satisfies RunIdentity;
    },
  };
}
