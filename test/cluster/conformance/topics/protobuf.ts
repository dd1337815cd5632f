import { expect } from 'vitest';
import { configMaps, deployments, secrets } from '../../../../src/k8s/resources.ts';
import type { Topic, World } from '../suite.ts';

const type = 'application/vnd.kubernetes.protobuf';

/** A field of a message: numbers as varints, all else by its length. All here are small. */
function field(number: number, value: number | string | Uint8Array): Buffer {
  if (typeof value === 'number') return Buffer.concat([varint(number << 3), varint(value)]);
  const bytes = Buffer.from(value);
  return Buffer.concat([varint((number << 3) | 2), varint(bytes.length), bytes]);
}

function varint(value: number): Buffer {
  const low = value & 0x7f;
  return value < 0x80 ? Buffer.of(low) : Buffer.concat([Buffer.of(low | 0x80), varint(value >>> 7)]);
}

const message = (...fields: Buffer[]) => Buffer.concat(fields);

/** As Kubernetes wraps its protobuf: a magic number, the type, and the object. */
function wrapped(apiVersion: string, kind: string, object: Buffer): Buffer {
  return message(Buffer.from('k8s\0'), field(1, message(field(1, apiVersion), field(2, kind))), field(2, object));
}

const named = (name: string) => field(1, field(1, name));
const entry = (key: string, value: string | Buffer) => message(field(1, key), field(2, value));

const post = ({ api, path }: World, resource: Parameters<World['path']>[0], body: Uint8Array) =>
  api.send('POST', path(resource), { body, type });

/** Deployment, as Kubernetes' own Go types number its fields. */
function deployment(name: string): Buffer {
  const limits = field(1, entry('cpu', field(1, '500m')));
  const probe = field(
    11,
    message(
      field(1, field(2, message(field(1, '/ready'), field(2, message(field(1, 1), field(3, 'http')))))),
      field(4, 5),
    ),
  );
  const container = message(
    field(1, 'main'),
    field(2, 'web:1'),
    field(6, message(field(1, 'http'), field(3, 8080))),
    field(7, message(field(1, 'A'), field(3, field(4, message(field(1, field(1, 'users')), field(2, 'key')))))),
    field(8, limits),
    probe,
  );
  const labels = (number: number) => field(number, entry('app', name));
  const template = message(field(1, labels(11)), field(2, field(2, container)));
  const strategy = message(
    field(1, 'RollingUpdate'),
    field(2, message(field(1, message(field(2, 1))), field(2, message(field(1, 1), field(3, '50%'))))),
  );
  return message(
    named(name),
    field(2, message(field(1, 0), field(2, labels(1)), field(3, template), field(4, strategy), field(7, 0))),
  );
}

export const protobuf: Topic = {
  name: 'protobuf',
  cases: {
    'an object is read': async (world) => {
      const body = wrapped(
        'v1',
        'ConfigMap',
        message(named('plain'), field(2, entry('a', '1')), field(2, entry('empty', ''))),
      );
      const answer = await post(world, configMaps, body);
      expect(answer.code).toBe(201);
      expect(answer.headers['content-type']).toBe('application/json');
      expect(answer.object).toMatchObject({ metadata: { name: 'plain' }, data: { a: '1', empty: '' } });
    },
    'bytes become base64': async (world) => {
      const body = wrapped(
        'v1',
        'Secret',
        message(named('bytes'), field(2, entry('a', Buffer.of(0, 255))), field(3, 'example/raw')),
      );
      expect((await post(world, secrets, body)).object).toMatchObject({ type: 'example/raw', data: { a: 'AP8=' } });
    },
    'numbers, quantities, ports and inlined structs are read': async (world) => {
      const made = await post(world, deployments, wrapped('apps/v1', 'Deployment', deployment('full')));
      expect(made.object.spec).toMatchObject({
        replicas: 0,
        strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1, maxSurge: '50%' } },
        template: {
          spec: {
            containers: [
              {
                ports: [{ name: 'http', containerPort: 8080, protocol: 'TCP' }],
                env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 'users', key: 'key' } } }],
                resources: { limits: { cpu: '500m' } },
                readinessProbe: { httpGet: { path: '/ready', port: 'http' }, periodSeconds: 5 },
              },
            ],
          },
        },
      });
    },
    'the result is checked': async (world) => {
      const answer = await post(world, configMaps, wrapped('v1', 'ConfigMap', named('Upper')));
      expect(answer.failure).toMatchObject({ code: 422, reason: 'Invalid' });
    },
    'another kind is refused': async (world) => {
      const answer = await post(world, configMaps, wrapped('v1', 'Secret', named('other')));
      expect(answer.failure).toMatchObject({ code: 400, reason: 'BadRequest' });
      expect(answer.failure.message).toMatch(/^Secret in version "v1" cannot be handled as a ConfigMap: /);
    },
    'what is no protobuf is refused': async (world) => {
      for (const body of [Buffer.from('{}'), wrapped('v1', 'ConfigMap', Buffer.of(0x0a, 0x7f))]) {
        expect((await post(world, configMaps, body)).failure).toMatchObject({ code: 400, reason: 'BadRequest' });
      }
    },
  },
};
