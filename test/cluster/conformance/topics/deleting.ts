import { expect } from 'vitest';
import {
  configMaps,
  deployments,
  httpRoutes,
  namespaces,
  pods,
  replicaSets,
  resourcePath,
  secrets,
  services,
} from '../../../../src/k8s/resources.ts';
import type { Stored } from '../api.ts';
import { configMap, deployment, httpRoute, pod, service } from '../objects.ts';
import type { Topic } from '../suite.ts';

const ownedBy = ({ apiVersion, kind, metadata }: Stored, more: object = {}) => ({
  ownerReferences: [{ apiVersion, kind, name: metadata.name, uid: metadata.uid, ...more }],
});

const hold = { finalizers: ['example.net/hold'] };

export const deleting: Topic = {
  name: 'delete',
  cases: {
    'a deleted object is gone, and the answer says which it was': async ({ api, path }) => {
      const { metadata } = (await api.post(path(configMaps), configMap('gone'))).object;
      expect(await api.delete(path(configMaps, 'gone'))).toMatchObject({
        code: 200,
        json: {
          kind: 'Status',
          apiVersion: 'v1',
          metadata: {},
          status: 'Success',
          details: { name: 'gone', kind: 'configmaps', uid: metadata.uid },
        },
      });
      expect((await api.get(path(configMaps, 'gone'))).code).toBe(404);
    },
    'the answer names the group of the kind': async ({ api, path }) => {
      const { metadata } = (await api.post(path(httpRoutes), httpRoute('gone'))).object;
      expect((await api.delete(path(httpRoutes, 'gone'))).json).toMatchObject({
        status: 'Success',
        details: { name: 'gone', group: 'gateway.networking.k8s.io', kind: 'httproutes', uid: metadata.uid },
      });
    },
    'Services and Pods are answered with themselves': async ({ api, path }) => {
      await api.post(path(services), service('gone'));
      expect((await api.delete(path(services, 'gone'))).object).toMatchObject({
        kind: 'Service',
        metadata: { name: 'gone' },
      });
      await api.post(path(pods), pod('gone'));
      expect((await api.delete(path(pods, 'gone'))).object).toMatchObject({ kind: 'Pod', metadata: { name: 'gone' } });
    },
    'what is not there can not be deleted': async ({ api, path }) => {
      (await api.delete(path(configMaps, 'missing'))).refuses(404, 'NotFound', 'configmaps "missing" not found', {
        name: 'missing',
        kind: 'configmaps',
      });
    },
    'a collection is deleted as far as it is selected': async ({ api, path }) => {
      await api.post(path(secrets), { metadata: { name: 'first', labels: { doomed: 'yes' } } });
      await api.post(path(secrets), { metadata: { name: 'second', labels: { doomed: 'yes' } } });
      await api.post(path(secrets), { metadata: { name: 'third' } });
      const answer = await api.delete(path(secrets), undefined, { query: { labelSelector: 'doomed=yes' } });
      expect(answer.list).toMatchObject({ kind: 'SecretList' });
      expect(answer.list.items.map(({ metadata }) => metadata.name)).toEqual(['first', 'second']);
      const { items } = (await api.get(path(secrets), { query: { fieldSelector: 'type=Opaque' } })).list;
      expect(items.map(({ metadata }) => metadata.name)).toEqual(['third']);
    },
    'a uid that is not that of the object': async ({ api, path }) => {
      const { metadata } = (await api.post(path(configMaps), configMap('identified'))).object;
      (await api.delete(path(configMaps, 'identified'), { preconditions: { uid: 'other' } })).refuses(
        409,
        'Conflict',
        `Operation cannot be fulfilled on ConfigMap "identified": the UID in the precondition (other) does not match the UID in record (${metadata.uid}). The object might have been deleted and then recreated`,
        { name: 'identified', kind: 'ConfigMap' },
      );
      expect((await api.delete(path(configMaps, 'identified'), { preconditions: { uid: metadata.uid } })).code).toBe(
        200,
      );
    },
    'a version that is not that of the object': async ({ api, path }) => {
      const { metadata } = (await api.post(path(httpRoutes), httpRoute('versioned'))).object;
      (await api.delete(path(httpRoutes, 'versioned'), { preconditions: { resourceVersion: '1' } })).refuses(
        409,
        'Conflict',
        `Operation cannot be fulfilled on HTTPRoute.gateway.networking.k8s.io "versioned": the ResourceVersion in the precondition (1) does not match the ResourceVersion in record (${metadata.resourceVersion}). The object might have been modified`,
        { name: 'versioned', group: 'gateway.networking.k8s.io', kind: 'HTTPRoute' },
      );
    },
    'an unknown propagation policy': async ({ api, path }) => {
      await api.post(path(configMaps), configMap('propagated'));
      (await api.delete(path(configMaps, 'propagated'), { propagationPolicy: 'Sideways' })).refuses(
        422,
        'Invalid',
        'DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: Unsupported value: "Sideways": supported values: "Foreground", "Background", "Orphan", "nil"',
        {
          group: 'meta.k8s.io',
          kind: 'DeleteOptions',
          causes: [
            {
              reason: 'FieldValueNotSupported',
              message: 'Unsupported value: "Sideways": supported values: "Foreground", "Background", "Orphan", "nil"',
              field: 'propagationPolicy',
            },
          ],
        },
      );
    },
    'two ways to say what happens to dependents': async ({ api, path }) => {
      const body = { propagationPolicy: 'Orphan', orphanDependents: true };
      expect((await api.delete(path(configMaps, 'propagated'), body)).failure.message).toBe(
        'DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: Invalid value: "Orphan": orphanDependents and deletionPropagation cannot be both set',
      );
    },
    'options may be in the query': async ({ api, path }) => {
      await api.post(path(configMaps), configMap('by-query'));
      const answer = await api.delete(path(configMaps, 'by-query'), undefined, {
        query: { propagationPolicy: 'Sideways' },
      });
      expect(answer.failure.code).toBe(422);
    },
    'a Pod that runs nowhere goes at once': async ({ api, path }) => {
      await api.post(path(pods), pod('nowhere'));
      await api.delete(path(pods, 'nowhere'));
      expect((await api.get(path(pods, 'nowhere'))).code).toBe(404);
    },
    'a Pod on a node gets its grace period': async ({ api, path }) => {
      // No kubelet has this node, so nobody ends the Pod but the case.
      await api.post(path(pods), pod('graceful', { nodeName: 'nowhere', terminationGracePeriodSeconds: 40 }));
      const answer = (await api.delete(path(pods, 'graceful'))).object;
      expect(answer.metadata).toMatchObject({
        deletionTimestamp: expect.any(String) as string,
        deletionGracePeriodSeconds: 40,
      });
      expect((await api.get(path(pods, 'graceful'))).code).toBe(200);
      const sooner = (await api.delete(path(pods, 'graceful'), { gracePeriodSeconds: 5 })).object;
      expect(sooner.metadata.deletionGracePeriodSeconds).toBe(5);
      await api.delete(path(pods, 'graceful'), { gracePeriodSeconds: 0 });
      expect((await api.get(path(pods, 'graceful'))).code).toBe(404);
    },
  },
};

export const finalizing: Topic = {
  name: 'finalizers',
  cases: {
    'a held object stays until the finalizer goes': async ({ api, path }) => {
      await api.post(path(configMaps), configMap('held', {}, hold));
      const answer = (await api.delete(path(configMaps, 'held'))).object;
      expect(answer).toMatchObject({
        kind: 'ConfigMap',
        metadata: { deletionTimestamp: expect.any(String) as string, deletionGracePeriodSeconds: 0 },
      });
      expect((await api.get(path(configMaps, 'held'))).code).toBe(200);
      await api.mergePatch(path(configMaps, 'held'), { metadata: { finalizers: null } });
      expect((await api.get(path(configMaps, 'held'))).code).toBe(404);
    },
    'a second delete changes nothing': async ({ api, path }) => {
      await api.post(path(configMaps), configMap('twice', {}, hold));
      const first = (await api.delete(path(configMaps, 'twice'))).object;
      const second = (await api.delete(path(configMaps, 'twice'))).object;
      expect(second.metadata).toEqual(first.metadata);
      await api.mergePatch(path(configMaps, 'twice'), { metadata: { finalizers: null } });
    },
    'an object that is being deleted takes no new finalizer': async ({ api, path }) => {
      await api.post(path(configMaps), configMap('late', {}, hold));
      await api.delete(path(configMaps, 'late'));
      const { failure } = await api.mergePatch(path(configMaps, 'late'), {
        metadata: { finalizers: ['example.net/hold', 'example.net/more'] },
      });
      expect(failure).toMatchObject({
        code: 422,
        reason: 'Invalid',
        message:
          'ConfigMap "late" is invalid: metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{"example.net/more"}',
      });
      await api.mergePatch(path(configMaps, 'late'), { metadata: { finalizers: null } });
    },
    'the deletion time can not be taken back': async ({ api, path }) => {
      await api.post(path(configMaps), configMap('no-return', {}, hold));
      const doomed = (await api.delete(path(configMaps, 'no-return'))).object;
      const { deletionTimestamp, deletionGracePeriodSeconds, ...metadata } = doomed.metadata;
      const after = (await api.put(path(configMaps, 'no-return'), { ...doomed, metadata, data: { b: '2' } })).object;
      expect(after.metadata).toMatchObject({ deletionTimestamp, deletionGracePeriodSeconds });
      expect(after.data).toEqual({ b: '2' });
      await api.mergePatch(path(configMaps, 'no-return'), { metadata: { finalizers: null } });
    },
    'the request to delete counts as a generation': async ({ api, path }) => {
      await api.post(path(httpRoutes), httpRoute('counted', {}, hold));
      expect((await api.delete(path(httpRoutes, 'counted'))).object.metadata.generation).toBe(2);
      await api.mergePatch(path(httpRoutes, 'counted'), { metadata: { finalizers: null } });
    },
    'watchers see the mark and then the end': async ({ api, path }) => {
      const made = (await api.post(path(configMaps), configMap('observed', {}, hold))).object;
      await using watch = await api.watch(path(configMaps), {
        fieldSelector: 'metadata.name=observed',
        resourceVersion: made.metadata.resourceVersion,
      });
      await api.delete(path(configMaps, 'observed'));
      await api.mergePatch(path(configMaps, 'observed'), { metadata: { finalizers: null } });
      expect(await watch.next()).toMatchObject({
        type: 'MODIFIED',
        object: { metadata: { deletionTimestamp: expect.any(String) as string } },
      });
      expect(await watch.next()).toMatchObject({ type: 'DELETED' });
    },
    'a finalizer must be a qualified name': async ({ api, path }) => {
      (await api.post(path(configMaps), configMap('misheld', {}, { finalizers: ['hold'] }))).refuses(
        422,
        'Invalid',
        'ConfigMap "misheld" is invalid: metadata.finalizers[0]: Invalid value: "hold": name is neither a standard finalizer name nor is it fully qualified',
        {
          name: 'misheld',
          kind: 'ConfigMap',
          causes: [
            {
              reason: 'FieldValueInvalid',
              message: 'Invalid value: "hold": name is neither a standard finalizer name nor is it fully qualified',
              field: 'metadata.finalizers[0]',
            },
          ],
        },
      );
    },
  },
};

export const collecting: Topic = {
  name: 'garbage collection',
  cases: {
    'dependents go after their owner': async ({ api, path }) => {
      const owner = (await api.post(path(configMaps), configMap('owner'))).object;
      await api.post(path(secrets), { metadata: { name: 'owned', ...ownedBy(owner) } });
      await api.delete(path(configMaps, 'owner'), { propagationPolicy: 'Background' });
      expect((await api.get(path(configMaps, 'owner'))).code).toBe(404);
      await api.until(path(secrets, 'owned'), 'gone');
    },
    'dependents of dependents go too': async ({ api, path }) => {
      const first = (await api.post(path(configMaps), configMap('first'))).object;
      const second = (await api.post(path(configMaps), configMap('second', {}, ownedBy(first)))).object;
      await api.post(path(secrets), { metadata: { name: 'third', ...ownedBy(second) } });
      await api.delete(path(configMaps, 'first'));
      await api.until(path(secrets, 'third'), 'gone');
    },
    'orphaned dependents stay and lose the reference': async ({ api, path }) => {
      const owner = (await api.post(path(configMaps), configMap('leaving'))).object;
      await api.post(path(secrets), { metadata: { name: 'orphan', ...ownedBy(owner) } });
      await api.delete(path(configMaps, 'leaving'), { propagationPolicy: 'Orphan' });
      await api.until(path(configMaps, 'leaving'), 'gone');
      await api.until(path(secrets, 'orphan'), ({ metadata }) => !metadata.ownerReferences);
    },
    'in the foreground the owner goes last': async ({ api, path }) => {
      const owner = (await api.post(path(configMaps), configMap('patient'))).object;
      const references = ownedBy(owner, { blockOwnerDeletion: true });
      await api.post(path(secrets), { metadata: { name: 'blocking', ...hold, ...references } });
      const answer = (await api.delete(path(configMaps, 'patient'), { propagationPolicy: 'Foreground' })).object;
      expect(answer.metadata).toMatchObject({
        finalizers: ['foregroundDeletion'],
        deletionTimestamp: expect.any(String) as string,
      });
      await api.until(path(secrets, 'blocking'), ({ metadata }) => metadata.deletionTimestamp !== undefined);
      expect((await api.get(path(configMaps, 'patient'))).code).toBe(200);
      await api.mergePatch(path(secrets, 'blocking'), { metadata: { finalizers: null } });
      await api.until(path(configMaps, 'patient'), 'gone');
    },
    'an object with another owner left stays': async ({ api, path }) => {
      const one = (await api.post(path(configMaps), configMap('one'))).object;
      const two = (await api.post(path(configMaps), configMap('two'))).object;
      const ownerReferences = [one, two].flatMap((owner) => ownedBy(owner).ownerReferences);
      await api.post(path(secrets), { metadata: { name: 'of-both', ownerReferences } });
      await api.delete(path(configMaps, 'one'));
      const left = await api.until(path(secrets, 'of-both'), ({ metadata }) => metadata.ownerReferences?.length === 1);
      expect(left?.metadata.ownerReferences).toEqual(ownedBy(two).ownerReferences);
    },
    'an object whose owner never was goes': async ({ api, path }) => {
      const ownerReferences = [
        { apiVersion: 'v1', kind: 'ConfigMap', name: 'never', uid: '00000000-0000-4000-8000-000000000000' },
      ];
      await api.post(path(secrets), { metadata: { name: 'fatherless', ownerReferences } });
      await api.until(path(secrets, 'fatherless'), 'gone');
    },
    'a workload takes what it owns along': async ({ api, path }) => {
      const owner = (await api.post(path(deployments), deployment('workload'))).object;
      const owned = service('workload-service', {}, ownedBy(owner));
      await api.post(path(services), owned);
      await api.delete(path(deployments, 'workload'));
      await api.until(path(services, 'workload-service'), 'gone');
    },
    'a reference needs all of its parts': async ({ api, path }) => {
      const { failure } = await api.post(path(secrets), {
        metadata: { name: 'partial', ownerReferences: [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'x' }] },
      });
      expect(failure).toMatchObject({
        code: 422,
        message: 'Secret "partial" is invalid: metadata.ownerReferences.uid: Invalid value: "": must not be empty',
      });
    },
    'an object has one controller at most': async ({ api, path }) => {
      const reference = (name: string) => ({ apiVersion: 'v1', kind: 'ConfigMap', name, uid: name, controller: true });
      const { failure } = await api.post(path(secrets), {
        metadata: { name: 'controlled', ownerReferences: [reference('a'), reference('b')] },
      });
      expect(failure).toMatchObject({
        code: 422,
        message: expect.stringContaining(
          'Only one reference can have Controller set to true. Found "true" in references for ConfigMap/a and ConfigMap/b',
        ) as string,
      });
    },
    'ReplicaSets take orphans of their selector only when they are their own': async ({ api, path }) => {
      const selector = { matchLabels: { app: 'alone' } };
      const made = await api.post(path(replicaSets), {
        metadata: { name: 'alone' },
        spec: { replicas: 0, selector, template: { metadata: { labels: { app: 'alone' } }, spec: pod('x').spec } },
      });
      expect(made.object).toMatchObject({ spec: { replicas: 0 }, status: { replicas: 0 } });
    },
    'a deleted namespace takes all in it along': async ({ api }) => {
      const { name } = (await api.post(resourcePath(namespaces), { metadata: { generateName: 'doomed-' } })).object
        .metadata;
      await api.post(resourcePath(configMaps, name), configMap('inside'));
      const answer = (await api.delete(resourcePath(namespaces, undefined, name))).object;
      expect(answer).toMatchObject({
        metadata: { deletionTimestamp: expect.any(String) as string },
        status: { phase: 'Terminating' },
      });
      await api.until(resourcePath(namespaces, undefined, name), 'gone');
      expect((await api.get(resourcePath(configMaps, name, 'inside'))).code).toBe(404);
    },
    'nothing is created in a namespace that is going': async ({ api }) => {
      const { name } = (await api.post(resourcePath(namespaces), { metadata: { generateName: 'closing-' } })).object
        .metadata;
      await api.post(resourcePath(configMaps, name), configMap('held', {}, hold));
      await api.delete(resourcePath(namespaces, undefined, name));
      (await api.post(resourcePath(configMaps, name), configMap('late'))).refuses(
        403,
        'Forbidden',
        `configmaps "late" is forbidden: unable to create new content in namespace ${name} because it is being terminated`,
        {
          name: 'late',
          kind: 'configmaps',
          causes: [
            {
              reason: 'NamespaceTerminating',
              message: `namespace ${name} is being terminated`,
              field: 'metadata.namespace',
            },
          ],
        },
      );
      await api.mergePatch(resourcePath(configMaps, name, 'held'), { metadata: { finalizers: null } });
      await api.until(resourcePath(namespaces, undefined, name), 'gone');
    },
  },
};
