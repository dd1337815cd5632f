import type { Builder } from '../../../schema/builder.ts';
import { HttpMethod } from '../../../schema/enums.ts';
import type {
  HealthReason,
  OpenAIInfo,
  OpenInferenceInfo,
  RunStatus,
  RunView,
  ServiceInfo,
  ServiceUrl,
} from '../service.ts';
import { HealthReasonCode, HealthStatus, RunState } from './enums.ts';

declare module '../../../schema/object-types.ts' {
  interface ObjectTypes {
    /** The run itself: what other modules add to its status is found by the run. */
    ServiceRunStatus: RunView;
    Replicas: RunStatus['replicas'];
    HealthReason: HealthReason;
    ServiceInfo: ServiceInfo;
    ServiceUrl: ServiceUrl;
    OpenInferenceInfo: OpenInferenceInfo;
    OpenAIInfo: OpenAIInfo;
  }
}

export function addStatusTypes(builder: Builder): void {
  addStatus(builder);
  addReasons(builder);
  addServiceInfo(builder);
  addProtocols(builder);
}

function addStatus(builder: Builder): void {
  builder.objectType('Replicas', {
    description: 'How many replicas there are.',
    fields: (t) => ({
      desired: t.exposeInt('desired', { description: 'How many there are to be.' }),
      ready: t.exposeInt('ready', { description: 'How many are ready.' }),
      updated: t.exposeInt('updated', { description: 'How many have the newest version.' }),
      available: t.exposeInt('available', { description: 'How many have been ready for long enough to count.' }),
    }),
  });
  builder.objectType('ServiceRunStatus', {
    description: 'What a run is doing, how well it is, and where it is reached.',
    fields: (t) => ({
      state: t.field({
        resolve: ({ status }) => status.state,
        type: RunState(builder),
        description: 'What it is doing.',
      }),
      health: t.field({
        resolve: ({ status }) => status.health,
        type: HealthStatus(builder),
        description: 'How well it is.',
      }),
      message: t.string({
        resolve: ({ status }) => status.message,
        nullable: true,
        description: 'One plain sentence that says why; null only when HEALTHY.',
      }),
      reasons: t.field({
        resolve: ({ status }) => status.reasons,
        type: ['HealthReason'],
        description: 'All reasons, the most important first.',
      }),
      replicas: t.field({
        resolve: ({ status }) => status.replicas,
        type: 'Replicas',
        description: 'How many replicas there are.',
      }),
      restarts: t.int({
        resolve: ({ status }) => status.restarts,
        description: 'Restarts of containers within the restart window; the least that is certain for old Pods.',
      }),
      since: t.field({
        resolve: ({ status }) => status.since,
        type: 'DateTime',
        description: "When `health` took its present value, read off the cluster's own times.",
      }),
      observedAt: t.field({
        resolve: ({ status }) => status.observedAt,
        type: 'DateTime',
        description: 'When this was judged.',
      }),
      service: t.field({
        resolve: ({ status }) => status.service,
        type: 'ServiceInfo',
        nullable: true,
        description: 'Its Service; null when there is no live one, never a stale address.',
      }),
      openInference: t.field({
        resolve: ({ status }) => status.openInference,
        type: 'OpenInferenceInfo',
        nullable: true,
        description: 'Its Open Inference addresses, when it speaks that protocol.',
      }),
      openAI: t.field({
        resolve: ({ status }) => status.openAI,
        type: 'OpenAIInfo',
        nullable: true,
        description: 'Its OpenAI addresses, when it speaks that protocol.',
      }),
    }),
  });
}

function addReasons(builder: Builder): void {
  builder.objectType('HealthReason', {
    description: 'One reason for the health of a run.',
    fields: (t) => ({
      code: t.expose('code', { type: HealthReasonCode(builder), description: 'What kind of reason.' }),
      rawReason: t.exposeString('rawReason', {
        nullable: true,
        description: "Kubernetes' own word for it, or a module's.",
      }),
      message: t.exposeString('message', { description: 'One plain sentence with names and numbers.' }),
      hint: t.exposeString('hint', { description: 'What to do next.' }),
      object: t.expose('object', { type: 'ObjectReference', nullable: true, description: 'The object it is about.' }),
      count: t.exposeInt('count', { description: 'How often, or of how many Pods, it is true.' }),
      since: t.expose('since', { type: 'DateTime', nullable: true, description: 'Since when, as far as known.' }),
    }),
  });
}

function addServiceInfo(builder: Builder): void {
  builder.objectType('ServiceUrl', {
    description: 'An address of a service.',
    fields: (t) => ({
      name: t.exposeString('name', {
        description: 'What it is called, such as `base`, `infer` or `chat-completions`.',
      }),
      url: t.exposeString('url', { description: 'The absolute URL inside the cluster.' }),
      method: t.expose('method', { type: HttpMethod(builder), description: 'The method to call it with.' }),
      port: t.exposeInt('port', { description: 'The port of the Service.' }),
      path: t.exposeString('path', { description: 'The path.' }),
      description: t.exposeString('description', { nullable: true, description: 'What it is for.' }),
    }),
  });
  builder.objectType('ServiceInfo', {
    description: 'The Service of a run.',
    fields: (t) => ({
      name: t.exposeString('name', { description: 'Its name.' }),
      namespace: t.exposeString('namespace', { description: 'Its namespace.' }),
      type: t.exposeString('type', { description: 'ClusterIP, NodePort, LoadBalancer or ExternalName.' }),
      clusterIP: t.exposeString('clusterIP', { nullable: true, description: 'Its address inside the cluster.' }),
      externalName: t.exposeString('externalName', {
        nullable: true,
        description: 'The name an ExternalName Service stands for.',
      }),
      externalIPs: t.exposeStringList('externalIPs', { description: 'Further addresses that lead to it.' }),
      ip: t.exposeString('ip', { nullable: true, description: 'The address of its load balancer.' }),
      hostname: t.exposeString('hostname', { nullable: true, description: 'The host name of its load balancer.' }),
      ports: t.expose('ports', { type: ['ServicePort'], description: 'Its ports.' }),
      url: t.exposeString('url', {
        nullable: true,
        description: 'host:port of the first port, without a scheme, as the platform writes it.',
      }),
      urls: t.expose('urls', {
        type: ['ServiceUrl'],
        description: 'The base address and every well-known one, absolute and always in the same order.',
      }),
      aliases: t.exposeStringList('aliases', { description: 'host:port of further Services that lead to the run.' }),
    }),
  });
}

function addProtocols(builder: Builder): void {
  builder.objectType('OpenInferenceInfo', {
    description: 'Where an Open Inference server is reached.',
    fields: (t) => ({
      baseUrl: t.exposeString('baseUrl', { description: 'The address before `/v2`.' }),
      model: t.exposeString('model', { nullable: true, description: 'The model it serves.' }),
      inferenceUrl: t.exposeString('inferenceUrl', { nullable: true, description: 'POST inference requests here.' }),
      modelMetadataUrl: t.exposeString('modelMetadataUrl', {
        nullable: true,
        description: 'Inputs and outputs of the model.',
      }),
      modelReadinessUrl: t.exposeString('modelReadinessUrl', {
        nullable: true,
        description: 'Whether the model is ready.',
      }),
      readinessUrl: t.exposeString('readinessUrl', { description: 'Whether all models are ready.' }),
      livenessUrl: t.exposeString('livenessUrl', { description: 'Whether the server is alive.' }),
    }),
  });
  builder.objectType('OpenAIInfo', {
    description: 'Where an OpenAI-compatible server is reached.',
    fields: (t) => ({
      baseUrl: t.exposeString('baseUrl', { description: 'The base URL to give to a client, ending with `/v1`.' }),
      model: t.exposeString('model', { nullable: true, description: 'The model it serves, where known.' }),
      engine: t.exposeString('engine', { nullable: true, description: 'The server program, such as vllm.' }),
      features: t.exposeStringList('features', {
        description: 'What it can do: TextGeneration, TextEmbedding, Reranking, SpeechToText.',
      }),
    }),
  });
}
