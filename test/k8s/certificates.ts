import { type KeyObject, createSign, generateKeyPairSync, randomBytes } from 'node:crypto';

/** A certificate with its key, in PEM. */
export interface Certificate {
  cert: string;
  key: string;
}

/** An authority that signs certificates: X.509 by hand, so that tests need no openssl and no file that expires. */
export interface Authority extends Certificate {
  /** For a server on loopback (IPv4 address and names). */
  forServer(options?: { names?: readonly string[]; addresses?: readonly string[] }): Certificate;
  /** For a client: Kubernetes takes the common name as the user, organizations as groups. */
  forClient(commonName: string): Certificate;
}

export function createAuthority(name = 'test authority'): Authority {
  const keys = createKeys();
  const extensions = [extension('2.5.29.19', true, sequence(boolean(true))), keyUsage(0x04, 2)];
  const own = sign({ subject: name, issuer: name, keys, signer: keys.privateKey, extensions });
  const issue = (subject: string, extensions: Buffer[]) => {
    const leaf = createKeys();
    return sign({ subject, issuer: name, keys: leaf, signer: keys.privateKey, extensions });
  };
  return {
    ...own,
    forServer: ({ names = ['localhost'], addresses = ['127.0.0.1'] } = {}) =>
      issue('server', [subjectAltName(names, addresses), extendedKeyUsage('1.3.6.1.5.5.7.3.1')]),
    forClient: (commonName) => issue(commonName, [extendedKeyUsage('1.3.6.1.5.5.7.3.2')]),
  };
}

interface Keys {
  publicKey: KeyObject;
  privateKey: KeyObject;
}

function createKeys(): Keys {
  return generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
}

interface Signing {
  subject: string;
  issuer: string;
  keys: Keys;
  signer: KeyObject;
  extensions: Buffer[];
}

/** RFC 5280, section 4.1. */
function sign({ subject, issuer, keys, signer, extensions }: Signing): Certificate {
  const algorithm = sequence(oid('1.2.840.10045.4.3.2'));
  const hour = 3_600_000;
  const validity = sequence(time(Date.now() - hour), time(Date.now() + 24 * hour));
  const toSign = sequence(
    tagged(0xa0, integer(Buffer.from([2]))),
    integer(Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    algorithm,
    distinguishedName(issuer),
    validity,
    distinguishedName(subject),
    keys.publicKey.export({ type: 'spki', format: 'der' }),
    tagged(0xa3, sequence(...extensions)),
  );
  const signature = createSign('sha256').update(toSign).sign(signer);
  return {
    cert: pem('CERTIFICATE', sequence(toSign, algorithm, bitString(signature))),
    key: keys.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

function pem(label: string, der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

function tagged(tag: number, ...contents: Buffer[]): Buffer {
  const content = Buffer.concat(contents);
  const { length } = content;
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

const sequence = (...contents: Buffer[]) => tagged(0x30, ...contents);
const integer = (value: Buffer) => tagged(0x02, value);
const boolean = (value: boolean) => tagged(0x01, Buffer.from([value ? 0xff : 0]));
const bitString = (value: Buffer, unused = 0) => tagged(0x03, Buffer.from([unused]), value);
const octetString = (value: Buffer) => tagged(0x04, value);

function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number);
  const bytes = [first * 40 + second];
  for (const arc of rest) {
    const groups = [arc & 0x7f];
    for (let left = arc >> 7; left > 0; left >>= 7) groups.unshift((left & 0x7f) | 0x80);
    bytes.push(...groups);
  }
  return tagged(0x06, Buffer.from(bytes));
}

/** UTCTime, without fractions of a second. */
function time(ms: number): Buffer {
  const digits = new Date(ms).toISOString().replace(/\D/g, '').slice(2, 14);
  return tagged(0x17, Buffer.from(`${digits}Z`));
}

function distinguishedName(commonName: string): Buffer {
  return sequence(tagged(0x31, sequence(oid('2.5.4.3'), tagged(0x0c, Buffer.from(commonName)))));
}

function extension(id: string, critical: boolean, value: Buffer): Buffer {
  return sequence(oid(id), ...(critical ? [boolean(true)] : []), octetString(value));
}

function keyUsage(bits: number, unused: number): Buffer {
  return extension('2.5.29.15', true, bitString(Buffer.from([bits]), unused));
}

function extendedKeyUsage(purpose: string): Buffer {
  return extension('2.5.29.37', false, sequence(oid(purpose)));
}

function subjectAltName(names: readonly string[], addresses: readonly string[]): Buffer {
  const dns = names.map((name) => tagged(0x82, Buffer.from(name)));
  const ips = addresses.map((address) => tagged(0x87, Buffer.from(address.split('.').map(Number))));
  return extension('2.5.29.17', false, sequence(...dns, ...ips));
}
