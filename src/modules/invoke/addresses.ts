import { BlockList, isIP } from 'node:net';

/** What kind of place an IP address names; only `public`, `private` and `shared` can be a Pod or Service. */
export type AddressClass =
  | 'public'
  | 'private'
  | 'shared'
  | 'metadata'
  | 'loopback'
  | 'link-local'
  | 'multicast'
  | 'unspecified'
  | 'reserved'
  | 'documentation'
  | 'translated'
  | 'invalid';

// First match wins, so single metadata addresses stand before the ranges they lie in. Sources: the IANA special-purpose
// address registries, and the metadata addresses of AWS, Google, Azure, Oracle and Alibaba.
const ranges: readonly (readonly [AddressClass, readonly string[]])[] = [
  [
    'metadata',
    [
      '169.254.169.254/32',
      '169.254.170.0/24',
      '100.100.100.200/32',
      '168.63.129.16/32',
      '192.0.0.192/32',
      'fd00:ec2::/32',
      'fd20:ce::254/128',
    ],
  ],
  ['unspecified', ['0.0.0.0/8', '::/128']],
  ['loopback', ['127.0.0.0/8', '::1/128']],
  ['link-local', ['169.254.0.0/16', 'fe80::/10', 'fec0::/10']],
  ['multicast', ['224.0.0.0/4', 'ff00::/8']],
  // Addresses that carry another one inside: what they reach depends on who translates them.
  [
    'translated',
    ['::ffff:0:0/96', '::/96', '64:ff9b::/96', '64:ff9b:1::/48', '2001::/32', '2002::/16', '192.88.99.0/24'],
  ],
  ['documentation', ['192.0.2.0/24', '198.51.100.0/24', '203.0.113.0/24', '2001:db8::/32', '3fff::/20']],
  ['reserved', ['240.0.0.0/4', '192.0.0.0/24', '198.18.0.0/15', '100::/64', '2001::/23', '5f00::/16']],
  ['private', ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7']],
  ['shared', ['100.64.0.0/10']],
];

interface Range {
  family: 4 | 6;
  class: AddressClass;
  list: BlockList;
}

const compiled: readonly Range[] = ranges.flatMap(([name, cidrs]) =>
  cidrs.map((cidr): Range => {
    const [network = '', prefix] = cidr.split('/');
    const family = network.includes(':') ? 6 : 4;
    const list = new BlockList();
    list.addSubnet(network, Number(prefix), family === 6 ? 'ipv6' : 'ipv4');
    return { family, class: name, list };
  }),
);

/** The class of an address in its plain form; anything but a literal IP address without a zone is `invalid`. */
export function classifyAddress(address: string): AddressClass {
  const family = address.includes('%') ? 0 : isIP(address);
  if (family === 0) return 'invalid';
  // BlockList matches a v4-mapped address against v4 ranges, so ranges are tried with their own family only.
  const range = compiled.find(
    (candidate) => candidate.family === family && candidate.list.check(address, family === 6 ? 'ipv6' : 'ipv4'),
  );
  if (range) return range.class;
  return family === 4 || /^[23]/.test(address) ? 'public' : 'reserved';
}

/** Whether an address of this class can be that of a Pod or Service of a cluster. */
export function isClusterAddress(address: string): boolean {
  const found = classifyAddress(address);
  return found === 'public' || found === 'private' || found === 'shared';
}

/** Equal as addresses, however they are written (`::ffff:127.0.0.1` is what a dual-stack socket calls 127.0.0.1). */
export function sameAddress(a: string, b: string): boolean {
  if (a === b) return true;
  const [familyA, familyB] = [isIP(a), isIP(b)];
  if (familyA === 0 || familyB === 0) return false;
  const list = new BlockList();
  list.addAddress(a, familyA === 6 ? 'ipv6' : 'ipv4');
  return list.check(b, familyB === 6 ? 'ipv6' : 'ipv4');
}
