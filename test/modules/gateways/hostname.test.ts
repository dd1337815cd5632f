import { describe, expect, test } from 'vitest';
import { type HostnameRules, hostnameProblem, intersects } from '../../../src/modules/gateways/hostname.ts';

const rules: HostnameRules = { domain: 'services.example.org', allowedDomains: [] };
const strict: HostnameRules = { domain: 'services.example.org', allowedDomains: ['lab.example.org'] };
const reason = (hostname: string, given = rules) => hostnameProblem(hostname, given)?.reason ?? null;
const label63 = 'a'.repeat(63);

describe('hostnames', () => {
  test.each([
    'shop.services.example.org',
    'a.b.services.example.org',
    'shop.elsewhere.org',
    'a-1.x2.org',
    `${label63}.org`,
  ])('%s can be used', (hostname) => {
    expect(reason(hostname)).toBeNull();
  });

  test.each([
    '*.services.example.org',
    '*',
    'shop.*.org',
    'shop.services.example.org.',
    'Shop.services.example.org',
    'shop_1.services.example.org',
    'https://shop.services.example.org',
    'shop.services.example.org:8080',
    'shop.services.example.org/x',
    'shop services.example.org',
    'shop..example.org',
    '.example.org',
    '-shop.example.org',
    'shop-.example.org',
    `${label63}a.example.org`,
    `${`${label63}.`.repeat(4)}org`,
    'shop',
    '',
    '10.0.0.1',
    '127.0.0.1',
    '1.2',
    '[::1]',
    'ѕhop.services.example.org',
    'shop\u200b.services.example.org',
    'xn--shp-ina.services.example.org',
    'xn--shp-ina.elsewhere.org',
    'shop.services.example.org\n',
    'shop%2eexample.org',
  ])('%j is refused', (hostname) => {
    expect(reason(hostname)).toBe('HOSTNAME_INVALID');
  });

  test('the domain itself belongs to nobody', () => {
    expect(reason('services.example.org')).toBe('HOSTNAME_APEX');
    expect(reason('lab.example.org', strict)).toBe('HOSTNAME_APEX');
  });

  test('with allowed domains only names under one of them can be used', () => {
    expect(reason('x.lab.example.org', strict)).toBeNull();
    expect(reason('x.services.example.org', strict)).toBeNull();
    expect(reason('x.elsewhere.org', strict)).toBe('HOSTNAME_NOT_ALLOWED');
    expect(reason('xlab.example.org', strict)).toBe('HOSTNAME_NOT_ALLOWED');
  });

  test("punycode in the operator's own domain is fine", () => {
    const domain = 'xn--bcher-kva.example.org';
    expect(reason(`shop.${domain}`, { domain, allowedDomains: [] })).toBeNull();
    expect(reason(`xn--shp-ina.${domain}`, { domain, allowedDomains: [] })).toBe('HOSTNAME_INVALID');
  });
});

test.each([
  [undefined, 'a.example.org', true],
  ['a.example.org', 'a.example.org', true],
  ['*.example.org', 'a.example.org', true],
  ['*.example.org', 'a.b.example.org', true],
  ['*.example.org', 'example.org', false],
  ['*.example.org', 'badexample.org', false],
  ['a.example.org', '*.example.org', true],
  ['a.example.org', 'b.example.org', false],
])('a listener for %s and a route for %s meet: %s', (listener, route, expected) => {
  expect(intersects(listener, route)).toBe(expected);
});
