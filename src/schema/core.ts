import type { ClusterMode, WatchState } from '../k8s/cluster.ts';
import { type Builder } from './builder.ts';
import { addCommonTypes } from './common-types.ts';
import { Freshness } from './enums.ts';
import { addScalars } from './scalars.ts';

declare module './object-types.ts' {
  interface ObjectTypes {
    Viewer: { name: string; groups: readonly string[]; anonymous: boolean; projects: readonly string[] };
    Cluster: object;
    ClusterWatch: WatchState;
  }
}

/** What every schema has, whatever the modules: scalars, common types, Node, viewer and cluster. */
export function addCore(builder: Builder): void {
  addScalars(builder);
  addCommonTypes(builder);
  builder.queryType({ description: 'What can be read.' });
  // Adds node and nodes even when no enabled module has a type with a global id.
  builder.nodeInterfaceRef();
  addViewer(builder);
  addCluster(builder);
}

function addViewer(builder: Builder): void {
  builder.objectType('Viewer', {
    description: 'Who is asking.',
    fields: (t) => ({
      name: t.exposeString('name', { description: "The caller's name, with the configured prefix." }),
      groups: t.stringList({ description: "The caller's groups.", resolve: (viewer) => [...viewer.groups] }),
      anonymous: t.exposeBoolean('anonymous', { description: 'Whether nobody is signed in.' }),
      projects: t.stringList({
        description: 'The projects whose runs the caller may see; empty when rights do not depend on projects.',
        resolve: (viewer) => [...viewer.projects],
      }),
    }),
  });
  builder.queryField('viewer', (t) =>
    t.field({
      type: 'Viewer',
      description: 'Who is asking.',
      resolve: (_, __, { caller, access }) => ({
        name: caller.name,
        groups: caller.groups,
        anonymous: caller.anonymous,
        projects: access.projects ?? [],
      }),
    }),
  );
}

function addCluster(builder: Builder): void {
  const modes: Record<ClusterMode, { description: string }> = {
    EMBEDDED: { description: 'The cluster for one machine that the server brings along.' },
    KUBECONFIG: { description: 'A cluster reached by a kubeconfig file.' },
    IN_CLUSTER: { description: 'The cluster the server runs in.' },
  };
  const mode = builder.enumType('ClusterMode', { description: 'How the server reaches its cluster.', values: modes });
  builder.objectType('ClusterWatch', {
    description: 'One watch of the server on the cluster.',
    fields: (t) => ({
      resource: t.exposeString('resource', { description: 'What is watched, such as `deployments.apps`.' }),
      namespace: t.exposeString('namespace', { nullable: true, description: 'The namespace watched; null: all.' }),
      objects: t.exposeInt('objects', { description: 'How many objects are held.' }),
      synced: t.exposeBoolean('synced', { description: 'Whether the first list is in.' }),
      lastEventAt: t.expose('lastEventAt', {
        type: 'DateTime',
        nullable: true,
        description: 'When the last change came.',
      }),
      lastContactAt: t.expose('lastContactAt', {
        type: 'DateTime',
        nullable: true,
        description: 'When the cluster was last heard of.',
      }),
      restarts: t.exposeInt('restarts', { description: 'How often the watch had to be opened again after a failure.' }),
      error: t.exposeString('error', {
        nullable: true,
        description: 'Why the watch is down, for operators; null while it is up.',
      }),
    }),
  });
  builder.objectType('Cluster', {
    description: 'How the server sees the cluster: never silently stale.',
    fields: (t) => ({
      mode: t.field({
        type: mode,
        description: 'How the server reaches it.',
        resolve: (_, __, { cluster }) => cluster.mode,
      }),
      kubernetesVersion: t.string({
        nullable: true,
        description: 'The version its API server reports.',
        resolve: (_, __, { cluster }) => cluster.kubernetesVersion,
      }),
      freshness: t.field({
        type: Freshness(builder),
        description: 'STALE while some watch has been down for 5 seconds.',
        resolve: (_, __, { cluster }) => cluster.freshness.state,
      }),
      staleSince: t.field({
        type: 'DateTime',
        nullable: true,
        description: 'Since when it is STALE; null while FRESH.',
        resolve: (_, __, { cluster }) => cluster.freshness.staleSince,
      }),
      watches: t.field({
        type: ['ClusterWatch'],
        description: 'Every watch: one for each kind, or for each kind and namespace.',
        resolve: (_, __, { cluster }) => cluster.freshness.watches(),
      }),
    }),
  });
  builder.queryField('cluster', (t) =>
    t.field({ type: 'Cluster', description: 'How the server sees the cluster.', resolve: () => ({}) }),
  );
}
