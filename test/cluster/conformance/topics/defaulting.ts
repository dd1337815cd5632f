import { expect } from 'vitest';
import { deployments, pods, services } from '../../../../src/k8s/resources.ts';
import { deployment, pod, service } from '../objects.ts';
import type { Topic } from '../suite.ts';

const container = (fields: object = {}) => ({ containers: [{ name: 'main', image: 'web:1', ...fields }] });

export const defaulting: Topic = {
  name: 'defaults and forms',
  cases: {
    'quantities are printed in one form': async ({ api, path }) => {
      const resources = { limits: { cpu: '0.5', memory: '1024Mi', 'ephemeral-storage': '1e3' } };
      const made = await api.post(path(pods), pod('quantities', container({ resources })));
      expect((made.object.spec as { containers: unknown[] }).containers[0]).toMatchObject({
        resources: {
          limits: { cpu: '500m', memory: '1Gi', 'ephemeral-storage': '1e3' },
          requests: { cpu: '500m', memory: '1Gi', 'ephemeral-storage': '1e3' },
        },
      });
      expect(made.object.status).toMatchObject({ qosClass: 'Guaranteed' });
    },
    'a quantity that is none': async ({ api, path }) => {
      const { failure } = await api.post(path(pods), pod('x', container({ resources: { limits: { cpu: 'much' } } })));
      expect(failure).toMatchObject({
        code: 400,
        message: expect.stringContaining(
          "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        ) as string,
      });
    },
    'defaults of a Deployment': async ({ api, path }) => {
      const { replicas: _, ...spec } = deployment('defaults').spec;
      const made = (await api.post(path(deployments), { ...deployment('defaults'), spec: { ...spec, paused: true } }))
        .object;
      expect(made.spec).toEqual({
        replicas: 1,
        paused: true,
        selector: { matchLabels: { app: 'defaults' } },
        strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } },
        revisionHistoryLimit: 10,
        progressDeadlineSeconds: 600,
        template: {
          metadata: { labels: { app: 'defaults' } },
          spec: {
            containers: [
              {
                name: 'main',
                image: 'web:1',
                imagePullPolicy: 'IfNotPresent',
                resources: {},
                terminationMessagePath: '/dev/termination-log',
                terminationMessagePolicy: 'File',
              },
            ],
            dnsPolicy: 'ClusterFirst',
            restartPolicy: 'Always',
            schedulerName: 'default-scheduler',
            securityContext: {},
            terminationGracePeriodSeconds: 30,
          },
        },
      });
    },
    'defaults of a Service': async ({ api, path }) => {
      const made = (await api.post(path(services), service('defaults', { selector: { app: 'web' } }))).object;
      expect(made.spec).toMatchObject({
        type: 'ClusterIP',
        sessionAffinity: 'None',
        internalTrafficPolicy: 'Cluster',
        ipFamilies: ['IPv4'],
        ipFamilyPolicy: 'SingleStack',
        ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }],
        selector: { app: 'web' },
      });
    },
    'a headless Service keeps being one': async ({ api, path }) => {
      const made = (await api.post(path(services), service('headless', { clusterIP: 'None' }))).object;
      expect(made.spec).toMatchObject({ clusterIP: 'None', clusterIPs: ['None'] });
    },
    'defaults of a probe': async ({ api, path }) => {
      const made = await api.post(path(pods), pod('probed', container({ readinessProbe: { httpGet: { port: 80 } } })));
      expect((made.object.spec as { containers: unknown[] }).containers[0]).toMatchObject({
        readinessProbe: {
          httpGet: { path: '/', port: 80, scheme: 'HTTP' },
          timeoutSeconds: 1,
          periodSeconds: 10,
          successThreshold: 1,
          failureThreshold: 3,
        },
      });
    },
    'an image with the tag latest is always pulled': async ({ api, path }) => {
      const made = await api.post(path(pods), pod('latest', container({ image: 'web' })));
      expect(made.object.spec).toMatchObject({ containers: [{ imagePullPolicy: 'Always' }] });
    },
  },
};
