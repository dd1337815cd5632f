import { metadata } from './workload.ts';
import type { Site } from './site.ts';
import type { Fields } from './template.ts';

const anywhere = [
  // Metadata services of clouds and the node itself answer on link-local addresses.
  { ipBlock: { cidr: '0.0.0.0/0', except: ['169.254.0.0/16', '127.0.0.0/8'] } },
  { ipBlock: { cidr: '::/0', except: ['fe80::/10', '::1/128', 'fd00:ec2::/32'] } },
];

/**
 * The second wall around the mediator, which works when the first has a hole: Pods of the cluster on any port, and beyond
 * them only what API servers and identity providers listen on.
 */
export function networkPolicy(site: Site): Fields {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: metadata(site),
    spec: {
      podSelector: { matchLabels: site.selector },
      policyTypes: ['Ingress', 'Egress'],
      ingress: [
        { ports: [{ protocol: 'TCP', port: 'http' }], from: site.ingressFrom },
        { ports: [{ protocol: 'TCP', port: 'metrics' }], from: site.metricsFrom },
      ],
      egress: [
        { to: [{ namespaceSelector: site.callable }] },
        {
          // Some nodes have a name server on a link-local address.
          ports: [
            { protocol: 'UDP', port: 53 },
            { protocol: 'TCP', port: 53 },
          ],
        },
        {
          to: anywhere,
          ports: [
            { protocol: 'TCP', port: 443 },
            { protocol: 'TCP', port: 6443 },
          ],
        },
        ...(site.extraEgress ? [site.extraEgress] : []),
      ],
    },
  };
}
