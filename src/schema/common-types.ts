import { type Builder, perBuilder } from './builder.ts';

declare module './object-types.ts' {
  interface ObjectTypes {
    ObjectReference: { apiVersion: string | null; kind: string; namespace: string | null; name: string };
    HttpHeader: { name: string; value: string; redacted: boolean };
    ServicePort: {
      name: string | null;
      port: number;
      protocol: string;
      targetPort: string;
      nodePort: number | null;
    };
    Label: { key: string; value: string };
  }
}

/** A header to send; several modules take lists of them. */
export const HeaderInput = perBuilder((builder) =>
  builder.inputType('HeaderInput', {
    description: 'A header to send.',
    fields: (t) => ({
      name: t.string({ required: true, description: 'Its name.' }),
      value: t.string({ required: true, description: 'Its value.' }),
    }),
  }),
);

/** Object types that several modules show. */
export function addCommonTypes(builder: Builder): void {
  builder.objectType('ObjectReference', {
    description: 'Names a Kubernetes object.',
    fields: (t) => ({
      apiVersion: t.exposeString('apiVersion', {
        nullable: true,
        description: 'Group and version, such as `apps/v1`.',
      }),
      kind: t.exposeString('kind', { description: 'Its kind, such as `Pod`.' }),
      namespace: t.exposeString('namespace', {
        nullable: true,
        description: 'Its namespace; null for cluster objects.',
      }),
      name: t.exposeString('name', { description: 'Its name.' }),
    }),
  });
  builder.objectType('HttpHeader', {
    description: 'A header of a request or response, in the order it was sent.',
    fields: (t) => ({
      name: t.exposeString('name', { description: 'Its name as sent.' }),
      value: t.exposeString('value', { description: 'Its value, or `***` when redacted.' }),
      redacted: t.exposeBoolean('redacted', { description: 'Whether the value was kept out of the history.' }),
    }),
  });
  builder.objectType('ServicePort', {
    description: 'A port of a Kubernetes Service.',
    fields: (t) => ({
      name: t.exposeString('name', { nullable: true, description: 'Its name, when it has one.' }),
      port: t.exposeInt('port', { description: 'The port of the Service.' }),
      protocol: t.exposeString('protocol', { description: 'TCP, UDP or SCTP.' }),
      targetPort: t.exposeString('targetPort', {
        description: 'The port of the Pods: number or name.',
      }),
      nodePort: t.exposeInt('nodePort', {
        nullable: true,
        description: 'The port on every node, for NodePort Services.',
      }),
    }),
  });
  builder.objectType('Label', {
    description: 'A Kubernetes label.',
    fields: (t) => ({
      key: t.exposeString('key', { description: 'Its key.' }),
      value: t.exposeString('value', { description: 'Its value.' }),
    }),
  });
}
