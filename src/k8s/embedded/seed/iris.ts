import type { BuiltinImage } from '../runtime/images.ts';
import { type Answer, AnswerError, type Request, serveHttp } from './http-program.ts';
import { classify, probabilities, species } from './iris-model.ts';

const model = 'iris';
const version = '1';
const numeric = new Set([
  'FP64',
  'FP32',
  'FP16',
  'INT64',
  'INT32',
  'INT16',
  'INT8',
  'UINT64',
  'UINT32',
  'UINT16',
  'UINT8',
]);

const metadata = {
  name: model,
  versions: [version],
  platform: 'slipway-demo',
  inputs: [{ name: 'input-0', datatype: 'FP64', shape: [-1, 4] }],
  outputs: [
    { name: 'predict', datatype: 'INT64', shape: [-1] },
    { name: 'species', datatype: 'BYTES', shape: [-1] },
    { name: 'probabilities', datatype: 'FP64', shape: [-1, 3] },
  ],
};

/** Tells three kinds of iris apart, over the Open Inference Protocol (version 2, REST). */
export const iris: BuiltinImage = (context) =>
  serveHttp(context, (request) => {
    const { method, path } = request;
    const route = path === '/' ? path : path.replace(/\/+$/, '');
    if (route === '/v2') return only('GET', method, { json: { name: 'slipway-iris', version, extensions: [] } });
    if (route === '/v2/health/live') return only('GET', method, { json: { live: true } });
    if (route === '/v2/health/ready') return only('GET', method, { json: { ready: true } });
    const match = /^\/v2\/models\/([^/]+)(?:\/versions\/([^/]+))?(\/ready|\/infer)?$/.exec(route);
    if (!match) throw refusal(404, `there is nothing at ${path}`);
    const [, name, asked = version, action] = match;
    if (name !== model) throw refusal(404, `model ${name} is not found`);
    if (asked !== version) throw refusal(404, `model ${name} has no version ${asked}`);
    if (action === '/ready') return only('GET', method, { json: { name: model, ready: true } });
    return action === '/infer' ? only('POST', method, () => infer(request)) : only('GET', method, { json: metadata });
  });

function only(expected: string, method: string, answer: Answer | (() => Answer)): Answer {
  const fits = method === expected || (method === 'HEAD' && expected === 'GET');
  if (!fits) throw refusal(405, `use ${expected} here`);
  return typeof answer === 'function' ? answer() : answer;
}

function refusal(status: number, error: string): AnswerError {
  return new AnswerError({ status, json: { error } });
}

interface InferenceRequest {
  id?: unknown;
  inputs?: unknown;
  outputs?: unknown;
}

function infer({ body }: Request): Answer {
  const request = parseObject(body);
  const flowers = readFlowers(request.inputs);
  const all = [
    { ...tensor('predict', [flowers.length]), data: flowers.map(classify) },
    { ...tensor('species', [flowers.length]), data: flowers.map((flower) => species[classify(flower)]) },
    { ...tensor('probabilities', [flowers.length, 3]), data: flowers.flatMap(probabilities) },
  ];
  const outputs = wantedOutputs(request.outputs).map((name) => {
    const output = all.find((candidate) => candidate.name === name);
    if (!output) throw refusal(400, `there is no output ${name}`);
    return output;
  });
  const id = typeof request.id === 'string' ? { id: request.id } : {};
  return { json: { model_name: model, model_version: version, ...id, outputs } };
}

function tensor(name: string, shape: number[]) {
  const { datatype } = metadata.outputs.find((output) => output.name === name) ?? { datatype: 'BYTES' };
  return { name, datatype, shape };
}

function parseObject(body: string): InferenceRequest {
  try {
    const value: unknown = JSON.parse(body);
    if (typeof value === 'object' && value !== null) return value;
  } catch {
    // Answered below, like any other body that is no object.
  }
  throw refusal(400, 'the body must be a JSON object');
}

function wantedOutputs(outputs: unknown): string[] {
  if (outputs === undefined) return ['predict'];
  if (!Array.isArray(outputs)) throw refusal(400, 'outputs must be a list');
  return outputs.map((output: unknown) => String((output as { name?: unknown } | null)?.name));
}

function readFlowers(inputs: unknown): number[][] {
  if (!Array.isArray(inputs) || inputs.length !== 1) throw refusal(400, 'inputs must be a list with one tensor');
  const input = (inputs[0] ?? {}) as { datatype?: unknown; shape?: unknown; data?: unknown };
  if (typeof input.datatype !== 'string' || !numeric.has(input.datatype)) {
    throw refusal(400, `unsupported datatype ${String(input.datatype)}: send FP64`);
  }
  const shape = Array.isArray(input.shape) ? (input.shape as unknown[]) : [];
  const rows = shape.length === 1 ? 1 : shape[0];
  if (shape.at(-1) !== 4 || shape.length > 2 || !Number.isSafeInteger(rows) || Number(rows) < 1) {
    throw refusal(400, 'the shape must be [n, 4]: sepal length and width, petal length and width');
  }
  const values = Array.isArray(input.data) ? (input.data.flat(2) as unknown[]) : [];
  if (values.length !== Number(rows) * 4 || !values.every((value) => Number.isFinite(value))) {
    throw refusal(400, `the data must be ${Number(rows) * 4} numbers`);
  }
  return Array.from({ length: Number(rows) }, (_, row) => (values as number[]).slice(row * 4, row * 4 + 4));
}
