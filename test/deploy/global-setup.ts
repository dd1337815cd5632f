import type { TestProject } from 'vitest/node';
import { startControlPlane } from '../cluster/control-plane/index.ts';
import { buildHelm } from './helm/build.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Programs by path, and a cluster with the real control plane. */
    deploy: { helm: string; kubectl: string; kubeconfig: string };
  }
}

const say = (line: string) => void process.stderr.write(`deploy: ${line}\n`);

/** Builds Helm and starts the control plane of the cluster suite, for all test files. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const helm = await buildHelm(say);
  const plane = await startControlPlane({ say });
  project.provide('deploy', { helm, kubectl: plane.binaries.kubectl, kubeconfig: plane.kubeconfig });
  return () => plane.stop();
}
