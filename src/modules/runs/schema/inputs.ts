import { perBuilder } from '../../../schema/builder.ts';
import { OrderDirection } from '../../../schema/enums.ts';
import { HealthStatus, RunState, ServiceProtocol, ServiceRunOrderField } from './enums.ts';

export const ServiceName = perBuilder((builder) =>
  builder.inputType('ServiceName', {
    description: 'Names a Kubernetes Service.',
    fields: (t) => ({
      namespace: t.string({ required: true, description: 'Its namespace.' }),
      name: t.string({ required: true, description: 'Its name.' }),
    }),
  }),
);

export const ServiceRunBy = perBuilder((builder) =>
  builder.inputType('ServiceRunBy', {
    description: 'Names one service run.',
    isOneOf: true,
    fields: (t) => ({
      id: t.id({ description: 'Its global id.' }),
      runId: t.string({ description: 'Its run id. One that several visible runs have is CONFLICT, never the first.' }),
      service: t.field({ type: ServiceName(builder), description: 'Its primary Service or an alias.' }),
    }),
  }),
);

export const ServiceRunFilter = perBuilder((builder) =>
  builder.inputType('ServiceRunFilter', {
    description: 'Which runs. All given conditions must hold; null means no condition, an empty list matches nothing.',
    fields: (t) => ({
      namespace: t.stringList({ description: 'In one of these namespaces.' }),
      project: t.stringList({ description: 'Of one of these projects.' }),
      function: t.stringList({ description: 'Of one of these functions.' }),
      kind: t.stringList({ description: 'Of one of these kinds.' }),
      source: t.stringList({ description: 'Found by one of these sources.' }),
      state: t.field({ type: [RunState(builder)], description: 'In one of these states.' }),
      health: t.field({ type: [HealthStatus(builder)], description: 'With one of these healths.' }),
      search: t.string({
        description:
          'Words that must all occur in name, run id, id, namespace, project, function, kind, user, image or message; case does not matter.',
      }),
      labelSelector: t.string({ description: 'A Kubernetes label selector, such as `app=web,tier in (a,b)`.' }),
      active: t.boolean({ description: 'Whether it has a live Service.' }),
    }),
  }),
);

export const ServiceRunOrder = perBuilder((builder) =>
  builder.inputType('ServiceRunOrder', {
    description: 'The order of runs in a list.',
    fields: (t) => ({
      field: t.field({ type: ServiceRunOrderField(builder), required: true, description: 'What to sort by.' }),
      direction: t.field({ type: OrderDirection(builder), required: true, description: 'Which end comes first.' }),
    }),
  }),
);

const ProcessInput = perBuilder((builder) =>
  builder.inputType('ProcessInput', {
    description: 'A local program, for the embedded cluster only.',
    fields: (t) => ({
      command: t.stringList({
        required: true,
        description:
          'Program and arguments, run without a shell. HOST and PORT say where it must listen; `$(HOST)` and `$(PORT)` are replaced.',
      }),
      cwd: t.string({ description: "Absolute path of its working folder; default: the server's." }),
    }),
  }),
);

const SecretKeyInput = perBuilder((builder) =>
  builder.inputType('SecretKeyInput', {
    description: 'A key of a Secret in the namespace of the run.',
    fields: (t) => ({
      name: t.string({ required: true, description: 'The name of the Secret.' }),
      key: t.string({ required: true, description: 'The key in it.' }),
    }),
  }),
);

const EnvVarInput = perBuilder((builder) =>
  builder.inputType('EnvVarInput', {
    description: 'An environment variable: exactly one of value and secret.',
    fields: (t) => ({
      name: t.string({ required: true, description: 'Its name.' }),
      value: t.string({ description: 'Its value. Kept readable in the cluster: give secrets by `secret`.' }),
      secret: t.field({ type: SecretKeyInput(builder), description: 'The key of a Secret that holds its value.' }),
    }),
  }),
);

const PortInput = perBuilder((builder) =>
  builder.inputType('PortInput', {
    description: 'A port of the service.',
    fields: (t) => ({
      name: t.string({ description: 'Its name; default: `port-<port>`.' }),
      port: t.int({ required: true, description: 'The port of the Service, 1 to 65535.' }),
      targetPort: t.int({ description: 'The port on which the program listens; default: the same.' }),
    }),
  }),
);

const ResourcesInput = perBuilder((builder) =>
  builder.inputType('ResourcesInput', {
    description: 'What each replica asks for and may use, as Kubernetes quantities.',
    fields: (t) => ({
      cpu: t.string({ description: 'CPU it asks for, such as `250m`.' }),
      memory: t.string({ description: 'Memory it asks for, such as `512Mi`.' }),
      cpuLimit: t.string({ description: 'The most CPU it may use.' }),
      memoryLimit: t.string({ description: 'The most memory it may use; it is killed when it takes more.' }),
    }),
  }),
);

const LabelInput = perBuilder((builder) =>
  builder.inputType('LabelInput', {
    description: 'A label for the objects of a run.',
    fields: (t) => ({
      key: t.string({ required: true, description: 'Its key; the prefixes of Kubernetes and Slipway are reserved.' }),
      value: t.string({ required: true, description: 'Its value.' }),
    }),
  }),
);

const dryRun = 'Checks everything, writes nothing, and returns the manifests and a preview.';
const idempotencyKey =
  '8 to 128 printable characters, kept 24 hours for each caller and mutation: the same key with the same input returns the first result and does nothing again; with other input it is CONFLICT.';

export const RunServiceInput = perBuilder((builder) =>
  builder.inputType('RunServiceInput', {
    description: 'A service to run.',
    fields: (t) => ({
      name: t.string({
        required: true,
        description: "The run's name: lower-case letters, digits and dashes, beginning with a letter, at most 63.",
      }),
      namespace: t.string({ description: "Its namespace; default: the server's." }),
      project: t.string({ description: 'The project it belongs to.' }),
      function: t.string({ description: 'The function it serves.' }),
      image: t.string({ description: 'The container image; exactly one of image and process.' }),
      process: t.field({ type: ProcessInput(builder), description: 'A local program, for the embedded cluster only.' }),
      command: t.stringList({ description: "Replaces the image's entry point." }),
      args: t.stringList({ description: "Replaces the image's arguments." }),
      env: t.field({ type: [EnvVarInput(builder)], description: 'Environment variables.' }),
      ports: t.field({
        type: [PortInput(builder)],
        required: true,
        description: 'Its ports, at least one; the first is the base address.',
      }),
      replicas: t.int({ defaultValue: 1, description: 'How many replicas; 0 makes it without starting it.' }),
      resources: t.field({ type: ResourcesInput(builder), description: 'What each replica asks for and may use.' }),
      readinessPath: t.string({
        description:
          'Path of an HTTP readiness probe on the first port; without it a replica is ready when the port takes connections.',
      }),
      protocol: t.field({
        type: ServiceProtocol(builder),
        defaultValue: 'HTTP',
        description: 'Which well-known addresses it has.',
      }),
      model: t.string({ description: 'The model it serves, for protocols that have models.' }),
      labels: t.field({ type: [LabelInput(builder)], description: 'Further labels of its objects.' }),
      dryRun: t.boolean({ defaultValue: false, description: dryRun }),
      idempotencyKey: t.string({ description: idempotencyKey }),
    }),
  }),
);

export const ServiceRunActionInput = perBuilder((builder) =>
  builder.inputType('ServiceRunActionInput', {
    description: 'A run to do something to.',
    fields: (t) => ({
      id: t.id({ required: true, description: 'The global id of the run.' }),
      dryRun: t.boolean({ defaultValue: false, description: dryRun }),
      idempotencyKey: t.string({ description: idempotencyKey }),
    }),
  }),
);

export const ScaleServiceRunInput = perBuilder((builder) =>
  builder.inputType('ScaleServiceRunInput', {
    description: 'A run to scale.',
    fields: (t) => ({
      id: t.id({ required: true, description: 'The global id of the run.' }),
      replicas: t.int({ required: true, description: 'How many replicas it is to have; 0 stops it.' }),
      dryRun: t.boolean({ defaultValue: false, description: dryRun }),
    }),
  }),
);
