import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SlipwayError } from '../../../src/errors.ts';
import { isClusterAddress } from '../../../src/modules/invoke/addresses.ts';
import { type TargetInput, admittedAddresses, resolveTarget } from '../../../src/modules/invoke/target.ts';
import type { Service } from '../../../src/k8s/resources.ts';
import { type ViewParts, endpointsOf, readyEndpoint, runView } from './views.ts';

/** Where a call goes, when there is one endpoint. */
function resolved(input: TargetInput = {}, parts: ViewParts = {}) {
  const view = runView(parts);
  const { endpoints, authority, origin, path, uid } = resolveTarget(view, input, endpointsOf(view), isClusterAddress);
  expect(endpoints).toHaveLength(1);
  return { address: endpoints[0]?.address, port: endpoints[0]?.port, authority, origin, path, uid };
}

/** `CODE reason field` of the refusal. */
function refusal(input: TargetInput = {}, parts: ViewParts = {}): string {
  try {
    return `not refused: ${JSON.stringify(resolved(input, parts))}`;
  } catch (error) {
    if (!(error instanceof SlipwayError)) throw error;
    return [error.code, error.reason, error.field].filter(Boolean).join(' ');
  }
}

describe('port and path', () => {
  test('the first port and the root are the default', () => {
    expect(resolved()).toMatchObject({ address: '10.2.3.4', port: 9000, authority: 'echo.demo:8000', path: '/' });
  });

  test.each([22, 53, 2379, 6443, 9000, 10_250])('port %i is not one of the service', (port) => {
    expect(refusal({ port })).toBe('TARGET_NOT_ALLOWED NOT_REGISTERED port');
  });

  test.each([0, -1, 65_536])('port %i is none', (port) => {
    expect(refusal({ port })).toBe('INVALID PORT_RANGE port');
  });

  test('a port that the embedded cluster serves on another number is shown and named with it', () => {
    const view = runView({
      metadata: { annotations: { 'slipway.dev/ports': '{"8000":40123}' } },
      service: { clusterIP: '127.0.0.1' },
      url: '127.0.0.1:40123',
    });
    const resolve = (input: TargetInput) => resolveTarget(view, input, endpointsOf(view), () => true);
    const shown = { origin: 'http://127.0.0.1:40123', path: '/x', service: { port: 8000 } };
    expect(resolve({ port: 8000, path: '/x' })).toMatchObject(shown);
    expect(resolve({ url: 'http://127.0.0.1:40123/x' })).toMatchObject(shown);
    expect(() => resolve({ port: 40_123 })).toThrow('not a port of this service');
    expect(() => resolve({ url: 'http://127.0.0.1:8000/x' })).toThrow(SlipwayError);
  });

  test('a headless Service is reached at its Pod', () => {
    expect(resolved({}, { service: { clusterIP: 'None' } })).toMatchObject({
      address: '10.2.3.4',
      port: 9000,
    });
  });
});

describe('url', () => {
  const urls = ['http://echo.demo:8000/', 'http://echo.demo:8000/v2/health/ready'];
  test.each([
    ['http://echo.demo:8000', '/'],
    ['http://echo.demo:8000/', '/'],
    ['http://ECHO.demo:8000/x?y=%20#z', '/x?y=%20'],
    ['HTTP://echo.demo:8000/a//b', '/a//b'],
  ])('%s is called at %s', (url, path) => {
    expect(resolved({ url }, { urls })).toMatchObject({ address: '10.2.3.4', authority: 'echo.demo:8000', path });
  });

  test('port 80 may be left out, and no other', () => {
    expect(resolved({ url: 'http://echo.demo/x' }, { port: 80 })).toMatchObject({
      authority: 'echo.demo:80',
      path: '/x',
    });
    expect(resolved({ url: 'http://echo.demo:80/x' }, { port: 80 })).toMatchObject({
      authority: 'echo.demo:80',
      path: '/x',
    });
    expect(refusal({ url: 'http://echo.demo/x' })).toBe('TARGET_NOT_ALLOWED NOT_REGISTERED url');
  });

  test('where only a path is registered, the rest of the host is not', () => {
    const parts = { url: null, urls: ['http://echo.demo:8000/v2/models/iris'] };
    expect(resolved({ url: 'http://echo.demo:8000/v2/models/iris/infer?x' }, parts).path).toBe(
      '/v2/models/iris/infer?x',
    );
    for (const path of ['/', '/v2/models', '/v2/models/iris2', '/v2/models/IRIS']) {
      expect(refusal({ url: `http://echo.demo:8000${path}` }, parts)).toBe('TARGET_NOT_ALLOWED NOT_REGISTERED url');
    }
    expect(refusal({ url: 'http://echo.demo:8000/v2/models/iris/..' }, parts)).toBe('INVALID PATH_DOTS url');
  });

  test('an alias is called at its own Service', () => {
    const alias: Service = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'latest', namespace: 'demo', uid: 'uid-latest' },
      spec: { clusterIP: '10.1.2.9', selector: { run: 'echo' }, ports: [{ name: 'http', port: 80 }] },
    };
    const parts = { aliases: [alias] };
    expect(resolved({ url: 'http://latest.demo/x' }, parts)).toMatchObject({
      address: '10.2.3.4',
      authority: 'latest.demo:80',
    });
    expect(refusal({ url: 'http://latest.demo:8000/x' }, parts)).toMatch(/^TARGET_NOT_ALLOWED/);
  });

  test.each([
    'http://echo.demo.evil.com:8000/',
    'http://echo.demo-other:8000/',
    'http://evil.com#@echo.demo:8000/',
    'http://evil.com?@echo.demo:8000/',
    'http://evil-echo.demo:8000/',
    'http://x.echo.demo:8000/',
    'http://echo.demo.:8000/',
    'http://echo.demo2:8000/',
    'http://echo.other:8000/',
    'http://echo%2edemo:8000/',
    'http://echo.demo%2eevil:8000/',
    'http://echo.demo:8001/',
    'http://echo.demo:6443/',
    'http://echo.demo:08000/',
    'http://echo.demo:',
    'https://echo.demo:8000/',
    'ftp://echo.demo:8000/',
    'file:///etc/passwd',
    'http://10.1.2.3:8000/',
    'http://167838211:8000/',
    'http://2130706433/',
    'http://017700000001/',
    'http://0x7f.1/',
    'http://127.1/',
    'http://[::1]/',
    'http://[::]/',
    'http://0.0.0.0/',
    'http://0/',
    'http://[::ffff:a9fe:a9fe]/',
    'http://[64:ff9b::a9fe:a9fe]/',
    'http://169.254.169.254/latest/meta-data',
    'http://echo.demo:8000@evil.com/',
    'http://user:pass@echo.demo:8000/',
    'http://@echo.demo:8000/',
    'http:/echo.demo:8000/',
    'http:echo.demo:8000/',
    '//echo.demo:8000/',
    'echo.demo:8000',
    '/x',
    '',
    'http://',
    'http://ec\tho.demo:8000/',
    'http://echo.\ndemo:8000/',
    ' http://echo.demo:8000/',
    'http://echo.demo:8000/ x',
    'http://ec\u00adho.demo:8000/',
    'http://echo\u200b.demo:8000/',
    'http://echo。demo:8000/',
    'http://①②⑦.⓪.⓪.①/',
    'http://echo.demo:8000\\@evil.com/',
    'http://echo.demo:8000\\..\\',
    `http://echo.demo:8000/${'a'.repeat(9000)}`,
  ])('%j is refused', (url) => {
    expect(refusal({ url }, { urls })).toMatch(/^(TARGET_NOT_ALLOWED NOT_REGISTERED|INVALID [A-Z_]+) url$/);
  });

  test.each([
    { url: 'http://echo.demo:8000/', port: 8000 },
    { url: 'http://echo.demo:8000/', path: '/' },
  ])('with port or path beside it is refused', (input) => {
    expect(refusal(input)).toBe('INVALID URL_AND_PORT url');
  });

  test('whatever is made of a registered URL, only its own address is dialed', () => {
    const pieces = [
      'http://',
      'echo.demo',
      ':8000',
      '/',
      '@',
      '#',
      '?',
      '\\',
      '%2e',
      '.',
      'evil',
      '\t',
      '[::1]',
      '//',
      ':',
      '①',
      '127.1',
      'x',
    ];
    let admitted = 0;
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 8 }), (parts) => {
        const url = `${parts.length % 2 ? 'http://echo.demo:8000' : ''}${parts.join('')}`;
        if (!refusal({ url }).startsWith('not refused')) return;
        admitted += 1;
        expect(resolved({ url })).toMatchObject({ address: '10.2.3.4', port: 9000 });
        expect(new URL(url).host).toBe('echo.demo:8000');
      }),
      { numRuns: 5_000 },
    );
    expect(admitted).toBeGreaterThan(100);
  });
});

describe('what is behind the Service', () => {
  const other = (change: object) => ({ endpoint: { ...readyEndpoint(), ...change } });
  test.each<[string, ViewParts, string]>([
    ['an ExternalName', { service: { type: 'ExternalName', externalName: 'evil.com' } }, 'EXTERNAL_NAME'],
    ['no selector', { service: { selector: {} } }, 'NO_SELECTOR'],
    ['external IPs', { service: { externalIPs: ['203.0.113.1'] } }, 'EXTERNAL_IPS'],
    ['an endpoint that is no Pod', other({ targetRef: undefined }), 'FOREIGN_ENDPOINT'],
    ['an endpoint that is a node', other({ targetRef: { kind: 'Node', name: 'n' } }), 'FOREIGN_ENDPOINT'],
    [
      'a Pod of another namespace',
      other({ targetRef: { kind: 'Pod', namespace: 'other', name: 'echo-1' } }),
      'FOREIGN_ENDPOINT',
    ],
    [
      'a Pod that is not there',
      other({ targetRef: { kind: 'Pod', namespace: 'demo', name: 'gone' } }),
      'FOREIGN_ENDPOINT',
    ],
    ['a Pod that was replaced', { pod: { uid: 'uid-new' } }, 'FOREIGN_ENDPOINT'],
    ['an address its Pod has not', other({ addresses: ['10.1.2.3'] }), 'FOREIGN_ENDPOINT'],
    ['one good and one bad address', other({ addresses: ['10.2.3.4', '169.254.169.254'] }), 'FOREIGN_ENDPOINT'],
    ['a Pod on the network of its node', { pod: { hostNetwork: true } }, 'HOST_NETWORK'],
    ['a loopback address', { podAddress: '127.0.0.1' }, 'ADDRESS'],
    ['a metadata address', { podAddress: '169.254.169.254' }, 'ADDRESS'],
    ['a Pod that another Service selects', { pod: { labels: { run: 'other' } } }, 'FOREIGN_ENDPOINT'],
  ])('%s is refused', (_, parts, reason) => {
    expect(refusal({}, parts)).toBe(`TARGET_NOT_ALLOWED ${reason}`);
  });

  test.each<[string, ViewParts]>([
    ['no Service', { service: null }],
    ['a Service on its way out', { metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } }],
    ['no endpoint', { endpoint: null }],
    ['an endpoint that is not ready', { endpoint: { ...readyEndpoint(), conditions: { ready: false } } }],
    ['a Pod that is not ready', { pod: { ready: false } }],
    ['a headless Service without a ready Pod', { service: { clusterIP: 'None' }, endpoint: null }],
  ])('%s is not ready', (_, parts) => {
    expect(refusal({}, parts)).toBe('NOT_READY NOT_READY');
  });

  test('not ready says why in the words of the run', () => {
    const reason = {
      code: 'IMAGE_PULL',
      rawReason: null,
      message: '',
      hint: '',
      object: null,
      count: 1,
      since: null,
    } as const;
    const parts = { endpoint: null, status: { message: 'The image shop:9 cannot be pulled.', reasons: [reason] } };
    expect(() => resolved({}, parts)).toThrow('The service is not ready: The image shop:9 cannot be pulled.');
    expect(refusal({}, parts)).toBe('NOT_READY IMAGE_PULL');
  });
});

test.each<[string, NonNullable<ViewParts['service']>, string]>([
  ['a dual-stack Service is reached by its first family', { clusterIP: '10.1.2.3' }, '10.2.3.4'],
  ['also where that is IPv6', { clusterIP: 'fd00::9' }, 'fd00::1'],
])('%s', (_, service, address) => {
  const parts: ViewParts = {
    service,
    pod: { podIPs: ['10.2.3.4', 'fd00::1'] },
    endpoint: { ...readyEndpoint(), addresses: ['10.2.3.4', 'fd00::1'] },
  };
  expect(resolved({}, parts).address).toBe(address);
});

describe('admitted addresses', () => {
  test('the embedded cluster admits its own and no other', () => {
    const embedded = { ownsAddress: (address: string) => address === '127.64.0.5' };
    const admits = admittedAddresses({ url: '', embedded: embedded as never });
    expect(['127.64.0.5', '127.0.0.1', '10.0.0.1'].map(admits)).toEqual([true, false, false]);
  });

  test('a real cluster admits no loopback, not its API server and not this machine', () => {
    const admits = admittedAddresses({ url: 'https://10.96.0.1:443', embedded: null });
    expect(['10.0.0.1', '10.96.0.1', '127.0.0.1', '169.254.169.254'].map(admits)).toEqual([true, false, false, false]);
  });
});
