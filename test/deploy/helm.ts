import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { parseAllDocuments } from 'yaml';

export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; labels?: Record<string, string> };
  rules?: { apiGroups: string[]; resources: string[]; verbs: string[] }[];
  spec?: Record<string, unknown>;
  data?: Record<string, string>;
}

export interface Rendered {
  code: number;
  text: string;
  manifests: Manifest[];
  error: string;
}

/** Values as an operator writes them. */
export type Values = Record<string, unknown>;

const chart = new URL('../../deploy/chart', import.meta.url).pathname;

/** What is asked for at the least. */
export const signIn = { config: { auth: { issuer: 'https://idp.example.org', audience: ['slipway'] } } };

/** `helm template` with these values, for a cluster of this version. */
export async function render(helm: string, values: Values, kubeVersion = '1.36.0'): Promise<Rendered> {
  const args = ['template', 'slipway', chart, '--namespace', 'slipway', '--kube-version', kubeVersion, '--values', '-'];
  const child = spawn(helm, args, { env: { PATH: process.env['PATH'] ?? '', HOME: '/nonexistent' } });
  child.stdin.end(JSON.stringify(values));
  const ended = once(child, 'close');
  const [output, error] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const [code] = (await ended) as [number];
  const documents = parseAllDocuments(output, { version: '1.1' }).map((document) => document.toJS() as Manifest | null);
  return { code, text: output, manifests: documents.filter((manifest) => manifest !== null), error };
}

export async function lint(helm: string, values: Values): Promise<{ code: number; output: string }> {
  const args = ['lint', chart, '--strict', '--kube-version', '1.36.0', '--values', '-'];
  const child = spawn(helm, args, { env: { PATH: process.env['PATH'] ?? '', HOME: '/nonexistent' } });
  child.stdin.end(JSON.stringify(values));
  const ended = once(child, 'close');
  const [output, error] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const [code] = (await ended) as [number];
  return { code, output: output + error };
}
