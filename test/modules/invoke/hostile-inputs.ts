/** What somebody could try: parts of the input of `invokeService`. `run` is the URL of the called run. */
export interface HostileInput {
  url?: string;
  path?: string;
  port?: number;
  headers?: { name: string; value: string }[];
}

/** URLs that are not under `http://<host>:<port>`, in the spellings of which some parser makes another host of it. */
export function hostileUrls(host: string, port: number): string[] {
  const origin = `${host}:${port}`;
  const numeric = host.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
  const hex = host.split('.').map((part) => `0x${Number(part).toString(16)}`);
  const octal = host.split('.').map((part) => `0${Number(part).toString(8)}`);
  const v6 = host
    .split('.')
    .map((part) => Number(part).toString(16).padStart(2, '0'))
    .join('')
    .replace(/^(.{4})/, '$1:');
  const hosts = [
    `${host}.evil.com`,
    `${host}-other`,
    `evil-${host}`,
    `x.${host}.svc`,
    `${host}.`,
    `${host}.default`,
    'evil.com',
    `evil.com#@${host}`,
    `evil.com?@${host}`,
    `evil.com/@${host}`,
    `user:pass@${host}`,
    `@${host}`,
    `${host}@evil.com`,
    `${host}%2eevil.com`,
    `${host}\u3002com`,
    '\u2460\u2461\u2466.\u24ea.\u24ea.\u2460',
    `${host}\u00ad`,
    `${host}\u200b`,
    `${host}\t`,
    `${host}\n`,
    ` ${host}`,
    `${host} `,
    'evil\u3002com',
    'ech\u043e.default',
    'xn--ech-5cd.default',
    'echo.other',
    'echo.default',
    'echo.default.svc',
    'echo.default.svc.cluster.local',
    'kubernetes.default',
    'localhost',
    'localhost.localdomain',
    String(numeric),
    hex.join('.'),
    octal.join('.'),
    `0x${numeric.toString(16)}`,
    host.replace(/\.\d+\.\d+$/, '.1'),
    '2130706433',
    '017700000001',
    '0x7f.1',
    '127.1',
    '127.0.0.1',
    '0.0.0.0',
    '0',
    '[::1]',
    '[::]',
    '[::ffff:127.0.0.1]',
    `[::ffff:${v6}]`,
    `[::${host}]`,
    `[64:ff9b::${host}]`,
    '[64:ff9b::a9fe:a9fe]',
    '[2002:a9fe:a9fe::1]',
    '[2001:0:a9fe:a9fe::1]',
    '[fe80::1%25eth0]',
    '169.254.169.254',
    '[fd00:ec2::254]',
    '100.100.100.200',
    'metadata.google.internal',
    '255.255.255.255',
    '224.0.0.1',
  ];
  const ports = [6443, 10_250, 2379, 22, 80, 443, port + 1, `${port}`.slice(0, -1), `${port}0`, 0, 65_536, 99_999];
  return [
    ...hosts.map((each) => `http://${each}:${port}/`),
    ...hosts.map((each) => `http://${each}/`),
    ...ports.map((each) => `http://${host}:${each}/`),
    ...[
      `https://${origin}/`,
      `ftp://${origin}/`,
      `ws://${origin}/`,
      'file:///etc/passwd',
      'javascript:alert(1)',
      'data:,x',
    ],
    ...[
      `gopher://${origin}/`,
      `http:/${origin}/`,
      `http:${origin}/`,
      `http:///${origin}/`,
      `//${origin}/`,
      `${origin}/`,
    ],
    ...[
      `http:\\\\${origin}\\`,
      `http://${origin}\\@evil.com/`,
      `http://${origin}\\..\\`,
      `http://evil.com\\@${origin}/`,
    ],
    ...[`http://${host}:0${port}/`, `http://${host}:+${port}/`, `http://${host}: ${port}/`, `http://${host}:${port}x/`],
    ...[
      `http://${host}:\uff18000/`,
      `http://${host}/`,
      `http://${host}:/`,
      'http://',
      'http://:80/',
      '',
      '/',
      'x',
      '*',
    ],
    ...[`http://${origin}/..`, `http://${origin}/%2e%2e/x`, `http://${origin}/a b`, `http://${origin}/\r\nx: y`],
    `http://${origin}/${'a'.repeat(70_000)}`,
    `http://${'a.'.repeat(500)}com/`,
  ];
}

export const hostilePaths: readonly string[] = [
  '',
  'a',
  '*',
  '@evil.com',
  '?x',
  '#x',
  '//evil.com/x',
  '///x',
  'https:/evil.com',
  'http://evil.com/x',
  '\\\\evil.com\\x',
  '/..',
  '/../../api',
  '/a/../b',
  '/%2e%2e/',
  '/%2E./x',
  '/a/.%2e',
  '/..;/',
  '/..;x=1/',
  '/..%3b/',
  '/%2f..%2f',
  '/a%5c..%5cb',
  '/..?x',
  '/a/..\\..\\b',
  '/?\\',
  '/a b',
  '/a\r\nHost: evil',
  '/a HTTP/1.1\r\nHost: evil\r\n\r\nGET /b',
  '/a\nb',
  '/a\tb',
  '/a\0b',
  '/a\u007f',
  '/\u00fc',
  '/\u560d\u560a',
  '/\uff0e\uff0e/',
  `/${'a'.repeat(8192)}`,
  '/'.repeat(65_536),
];

const deniedNames = [
  'Host',
  'HOST',
  'Content-Length',
  'Transfer-Encoding',
  'Connection',
  'Keep-Alive',
  'TE',
  'Trailer',
  'Upgrade',
  'HTTP2-Settings',
  'Expect',
  'Proxy-Authorization',
  'Proxy-Connection',
  'Forwarded',
  'Via',
  'X-Forwarded-For',
  'x-forwarded-host',
  'X-Real-IP',
  'X-Original-URL',
  'X-Rewrite-URL',
  'Impersonate-User',
  'Impersonate-Extra-Scopes',
  'X-Remote-User',
  'X-Remote-Group',
  'Cookie',
  'Cookie2',
  ':authority',
  ':path',
  'Host ',
  ' Host',
  'a b',
  'a\r\nb',
  'a\0',
  'a:b',
  '\u00e4',
  '',
  'x'.repeat(300),
];
const deniedValues = [
  'a\r\nb: c',
  'a\nb',
  'a\rb',
  'a\0b',
  'a\r\n b',
  '\u560d\u560aSet-Cookie: x',
  '\u00fc',
  '\u007f',
  '\u001b[31m',
];

export const hostileHeaders: readonly (readonly { name: string; value: string }[])[] = [
  ...deniedNames.map((name) => [{ name, value: 'x' }]),
  ...deniedValues.map((value) => [{ name: 'X-A', value }]),
  ...['5', '+5', '5, 6'].map((value) => [{ name: 'Content-Length', value }]),
  ...['X-Secret', 'close', 'upgrade, http2-settings'].map((value) => [{ name: 'Connection', value }]),
  [
    { name: 'Content-Length', value: '5' },
    { name: 'Content-Length', value: '6' },
  ],
  [{ name: 'X-A', value: 'x'.repeat(1_000_000) }],
  Array.from({ length: 65 }, (_, n) => ({ name: `X-${n}`, value: 'x' })),
  Array.from({ length: 10_000 }, (_, n) => ({ name: `X-${n}`, value: 'x' })),
  Array.from({ length: 8 }, (_, n) => ({ name: `X-${n}`, value: 'x'.repeat(8000) })),
];

export const hostilePorts: readonly number[] = [
  -1, 0, 1, 22, 80, 443, 2379, 6443, 7999, 8001, 9000, 10_250, 65_535, 65_536,
];

/** All of the above, for a run at `http://<host>:<port>`. */
export function hostileInputs(host: string, port: number): HostileInput[] {
  return [
    ...hostileUrls(host, port).map((url) => ({ url })),
    ...hostilePaths.map((path) => ({ path })),
    ...hostilePorts.map((each) => ({ port: each })),
    ...hostileHeaders.map((headers) => ({ headers: [...headers] })),
  ];
}
