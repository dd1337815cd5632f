import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Who signs in with a token: name and groups. */
const users = {
  admin: { user: 'admin', groups: ['system:masters'] },
  /** An ordinary user without rights until a test binds some. */
  viewer: { user: 'viewer', groups: [] },
  controllers: { user: 'system:kube-controller-manager', groups: [] },
  scheduler: { user: 'system:kube-scheduler', groups: [] },
} as const;

export type User = keyof typeof users;

export interface SignIn {
  /** For `--token-auth-file`. */
  tokenFile: string;
  /** Signs the tokens of service accounts. */
  signingKey: string;
  verifyingKey: string;
  tokens: Record<User, string>;
  nodeTokens: ReadonlyMap<string, string>;
}

/** Makes new secrets in `folder`: tokens for people and programs, one for each node, and the key of service accounts. */
export async function createSignIn(folder: string, nodes: readonly string[]): Promise<SignIn> {
  const newToken = () => randomBytes(24).toString('hex');
  const tokens = Object.fromEntries(Object.keys(users).map((name) => [name, newToken()])) as Record<User, string>;
  const nodeTokens = new Map(nodes.map((name) => [name, newToken()]));
  const line = (token: string, user: string, groups: readonly string[]) =>
    `${token},${user},${user},"${groups.join(',')}"`;
  const lines = [
    ...Object.entries(users).map(([name, { user, groups }]) => line(tokens[name as User], user, groups)),
    // The node authorizer and NodeRestriction judge nodes by this name and group.
    ...[...nodeTokens].map(([name, token]) => line(token, `system:node:${name}`, ['system:nodes'])),
  ];
  const tokenFile = join(folder, 'tokens.csv');
  const signingKey = join(folder, 'service-accounts.key');
  const verifyingKey = join(folder, 'service-accounts.pub');
  const pair = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  const secret = { mode: 0o600 };
  await Promise.all([
    writeFile(tokenFile, `${lines.join('\n')}\n`, secret),
    writeFile(signingKey, pair.privateKey, secret),
    writeFile(verifyingKey, pair.publicKey, secret),
  ]);
  return { tokenFile, signingKey, verifyingKey, tokens, nodeTokens };
}

/** A kubeconfig that signs in with a token. */
export function kubeconfig(server: string, ca: string, token: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster: { server, 'certificate-authority-data': Buffer.from(ca).toString('base64') } }],
    users: [{ name: 'test', user: { token } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test', namespace: 'default' } }],
    'current-context': 'test',
  });
}
