import { chmod, writeFile } from 'node:fs/promises';
import { stringify } from 'yaml';

/** Writes the kubeconfig that kubectl reaches the embedded API with. */
export async function writeKubeconfig(path: string, server: string, namespace: string): Promise<void> {
  const name = 'slipway';
  const text = stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name, cluster: { server } }],
    users: [{ name, user: {} }],
    contexts: [{ name, context: { cluster: name, user: name, namespace } }],
    'current-context': name,
  });
  await writeFile(path, text, { mode: 0o600 });
  // The mode above counts for a new file only.
  await chmod(path, 0o600);
}
