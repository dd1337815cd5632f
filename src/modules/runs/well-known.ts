import type { HttpPort } from './service-info.ts';
import type { HttpMethod, OpenAIInfo, OpenInferenceInfo, RunIdentity, ServiceUrl } from './service.ts';

interface Endpoint {
  name: string;
  method: HttpMethod;
  path: string;
  description: string;
}

/** By convention the second port of Open Inference servers is gRPC, often without a name that says so. */
export const openInferenceGrpcPorts: readonly number[] = [8081, 9000, 8001];

const get = (name: string, path: string, description: string): Endpoint => ({ name, method: 'GET', path, description });
const post = (name: string, path: string, description: string): Endpoint => ({
  name,
  method: 'POST',
  path,
  description,
});

/** Open Inference servers of the platform call their only model this. */
const defaultModel = 'model';

function openInferenceEndpoints(model: string): Endpoint[] {
  const base = `/v2/models/${encodeURIComponent(model)}`;
  return [
    get('server', '/v2', 'Name, version and extensions of the server.'),
    get('live', '/v2/health/live', 'Whether the server is alive.'),
    get('ready', '/v2/health/ready', 'Whether all models are ready.'),
    get('model', base, `Inputs and outputs of the model ${model}.`),
    get('model-ready', `${base}/ready`, `Whether the model ${model} is ready.`),
    post('infer', `${base}/infer`, `Inference with the model ${model}.`),
  ];
}

const models = get('models', '/v1/models', 'The models it serves.');
/** What each feature of an OpenAI-compatible server adds. */
const openAIEndpoints: Record<string, Endpoint[]> = {
  TextGeneration: [
    post('chat-completions', '/v1/chat/completions', 'The next message of a conversation.'),
    post('completions', '/v1/completions', 'The continuation of a text.'),
  ],
  TextEmbedding: [post('embeddings', '/v1/embeddings', 'Vectors of texts.')],
  Reranking: [
    post('rerank', '/v1/rerank', 'Documents in the order of their relevance.'),
    post('rerank-v2', '/v2/rerank', 'Documents in the order of their relevance, second version.'),
  ],
  SpeechToText: [
    post('transcriptions', '/v1/audio/transcriptions', 'The text of a recording.'),
    post('translations', '/v1/audio/translations', 'The English text of a recording.'),
  ],
};
/** What vLLM serves beyond the OpenAI API. */
const vllmEndpoints: Record<string, Endpoint[]> = {
  TextGeneration: [
    post('tokenize', '/tokenize', 'The tokens of a text.'),
    post('detokenize', '/detokenize', 'The text of tokens.'),
  ],
  TextEmbedding: [
    post('pooling', '/pooling', 'The pooled output of the model.'),
    post('classify', '/classify', 'Classes of texts.'),
    post('score', '/score', 'Similarity of pairs of texts.'),
  ],
  Reranking: [post('rerank-base', '/rerank', 'Documents in the order of their relevance, without a version.')],
};

export function featuresOf(identity: RunIdentity): string[] {
  return identity.features ?? ['TextGeneration'];
}

function endpointsOf(identity: RunIdentity): Endpoint[] {
  if (identity.protocol === 'OPEN_INFERENCE') return openInferenceEndpoints(identity.model ?? defaultModel);
  if (identity.protocol === 'HTTP') return [];
  const features = featuresOf(identity);
  const ofEngine = identity.engine === 'vllm' ? features.flatMap((feature) => vllmEndpoints[feature] ?? []) : [];
  return [models, ...features.flatMap((feature) => openAIEndpoints[feature] ?? []), ...ofEngine];
}

/** The base address of every HTTP port, then the well-known addresses of the first one: always in this order. */
export function serviceUrls(ports: readonly HttpPort[], identity: RunIdentity): ServiceUrl[] {
  const [first] = ports;
  if (!first) return [];
  const bases = ports.map(({ name, port, origin }, index) => ({
    name: index === 0 ? 'base' : (name ?? `port-${port}`),
    url: `${origin}/`,
    method: 'GET' as const,
    port,
    path: '/',
    description: index === 0 ? 'The base address.' : `The base address of port ${port}.`,
  }));
  const known = endpointsOf(identity).map((endpoint) => ({
    ...endpoint,
    url: `${first.origin}${endpoint.path}`,
    port: first.port,
  }));
  return [...bases, ...known];
}

export function openInferenceInfo(first: HttpPort | undefined, identity: RunIdentity): OpenInferenceInfo | null {
  if (!first || identity.protocol !== 'OPEN_INFERENCE') return null;
  const model = identity.model ?? defaultModel;
  const base = `${first.origin}/v2/models/${encodeURIComponent(model)}`;
  return {
    baseUrl: first.origin,
    model,
    inferenceUrl: `${base}/infer`,
    modelMetadataUrl: base,
    modelReadinessUrl: `${base}/ready`,
    readinessUrl: `${first.origin}/v2/health/ready`,
    livenessUrl: `${first.origin}/v2/health/live`,
  };
}

export function openAIInfo(first: HttpPort | undefined, identity: RunIdentity): OpenAIInfo | null {
  if (!first || identity.protocol !== 'OPENAI') return null;
  return {
    baseUrl: `${first.origin}/v1`,
    model: identity.model,
    engine: identity.engine ?? null,
    features: featuresOf(identity),
  };
}
