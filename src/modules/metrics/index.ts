import { Registry, collectDefaultMetrics } from 'prom-client';
import { defineModule } from '../../module.ts';
import { readCluster } from './cluster.ts';
import { metricsConfig } from './config.ts';
import { serveMetrics } from './endpoint.ts';
import { createInstruments } from './instruments.ts';
import { countOperations } from './operations.ts';
import { Metrics } from './service.ts';

const usualPort = 9464;

/** What happens in numbers, for Prometheus. */
export const metrics = defineModule({
  name: 'metrics',
  description: 'Serves metrics for Prometheus on a port of their own.',
  provides: { metrics: Metrics },
  config: metricsConfig,
  async start({ config, cluster, clock, observe, onStop }) {
    const registry = new Registry();
    const instruments = createInstruments(registry);
    const port = config.port ?? (cluster.mode === 'EMBEDDED' ? null : usualPort);
    if (port === null) return { metrics: { ...instruments, url: null } };
    const endpoint = await serveMetrics(registry, { host: config.host, port });
    onStop(() => endpoint.stop());
    const metrics: Metrics = { ...instruments, url: endpoint.url };
    collectDefaultMetrics({ register: registry });
    readCluster(metrics, cluster);
    observe(countOperations(metrics, clock));
    return { metrics };
  },
});
