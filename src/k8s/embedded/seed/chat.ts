import { setTimeout as sleep } from 'node:timers/promises';
import { randomUUID } from 'node:crypto';
import type { BuiltinImage } from '../runtime/images.ts';
import { type Answer, AnswerError, type Request, serveHttp } from './http-program.ts';

const model = 'demo-chat';
const defaultDelayMs = 30;

/** An OpenAI-style text service whose "model" only talks about what it was told, word by word. */
export const chat: BuiltinImage = (context) => {
  const created = Math.floor(Date.now() / 1000);
  const delayMs = Number(context.env['TOKEN_DELAY_MS'] ?? defaultDelayMs);
  const card = { id: model, object: 'model', created, owned_by: 'slipway' };
  return serveHttp(context, (request) => {
    const { path } = request;
    if (path === '/health') return { json: { status: 'ok' } };
    if (path === '/v1/models') return { json: { object: 'list', data: [card] } };
    if (path === `/v1/models/${model}`) return { json: card };
    if (path === '/v1/chat/completions') return complete(request, chatFormat, delayMs);
    if (path === '/v1/completions') return complete(request, textFormat, delayMs);
    throw refusal(404, `there is nothing at ${path}`);
  });
};

function refusal(status: number, message: string, param: string | null = null): AnswerError {
  const type = status === 404 ? 'not_found_error' : 'invalid_request_error';
  return new AnswerError({ status, json: { error: { message, type, param, code: null } } });
}

/** The two shapes of one thing: messages and plain text. */
interface Format {
  object: string;
  chunkObject: string;
  idPrefix: string;
  prompt(body: Record<string, unknown>): string;
  choice(text: string): Record<string, unknown>;
  delta(text: string, first: boolean): Record<string, unknown>;
}

const chatFormat: Format = {
  object: 'chat.completion',
  chunkObject: 'chat.completion.chunk',
  idPrefix: 'chatcmpl-',
  prompt({ messages }) {
    if (!Array.isArray(messages) || messages.length === 0) throw refusal(400, 'messages must not be empty', 'messages');
    const last = messages.findLast((message: { role?: unknown } | null) => message?.role === 'user') as
      | { content?: unknown }
      | undefined;
    if (typeof last?.content !== 'string') throw refusal(400, 'a user message with text is needed', 'messages');
    return last.content;
  },
  choice: (text) => ({ message: { role: 'assistant', content: text } }),
  delta: (text, first) => ({ delta: { ...(first && { role: 'assistant' }), ...(text !== '' && { content: text }) } }),
};

const textFormat: Format = {
  object: 'text_completion',
  chunkObject: 'text_completion',
  idPrefix: 'cmpl-',
  prompt({ prompt }) {
    if (typeof prompt !== 'string') throw refusal(400, 'prompt must be text', 'prompt');
    return prompt;
  },
  choice: (text) => ({ text }),
  delta: (text) => ({ text }),
};

function complete(request: Request, format: Format, delayMs: number): Answer {
  if (request.method !== 'POST') throw refusal(405, 'use POST here');
  const body = parseObject(request.body);
  const asked = body['model'] ?? model;
  if (asked !== model) throw refusal(404, `the model ${JSON.stringify(asked)} does not exist`, 'model');
  const prompt = format.prompt(body);
  const limit = body['max_completion_tokens'] ?? body['max_tokens'] ?? 256;
  if (!Number.isSafeInteger(limit) || Number(limit) < 1)
    throw refusal(400, 'max_tokens must be 1 or more', 'max_tokens');
  const words = reply(prompt);
  const tokens = words.slice(0, Number(limit));
  const finish = tokens.length < words.length ? 'length' : 'stop';
  const promptTokens = countWords(prompt);
  const usage = {
    prompt_tokens: promptTokens,
    completion_tokens: tokens.length,
    total_tokens: promptTokens + tokens.length,
  };
  const head = { id: format.idPrefix + randomUUID(), created: Math.floor(Date.now() / 1000), model };
  if (body['stream'] === true) {
    const withUsage = (body['stream_options'] as { include_usage?: unknown } | null)?.include_usage === true;
    const chunkHead = { ...head, object: format.chunkObject };
    return { stream: streamed(chunkHead, tokens, finish, withUsage ? usage : null, format, delayMs, request.signal) };
  }
  const choice = { index: 0, ...format.choice(tokens.join('')), finish_reason: finish };
  return { json: { ...head, object: format.object, choices: [choice], usage } };
}

async function* streamed(
  head: Record<string, unknown>,
  tokens: readonly string[],
  finish: string,
  usage: Record<string, number> | null,
  format: Format,
  delayMs: number,
  signal: AbortSignal,
): AsyncIterable<string> {
  const event = (value: unknown) => `data: ${JSON.stringify(value)}\n\n`;
  const chunk = (content: Record<string, unknown>, reason: string | null) =>
    event({ ...head, choices: [{ index: 0, ...content, finish_reason: reason }] });
  for (const [index, token] of tokens.entries()) {
    if (delayMs > 0) await sleep(delayMs, undefined, { signal });
    yield chunk(format.delta(token, index === 0), null);
  }
  yield chunk(format.delta('', false), finish);
  if (usage) yield event({ ...head, choices: [], usage });
  yield 'data: [DONE]\n\n';
}

/** The answer, a word with its blank to a token. */
function reply(prompt: string): string[] {
  const words = countWords(prompt);
  const longest = prompt.match(/[\p{L}\p{N}]+/gu)?.toSorted((a, b) => b.length - a.length)[0];
  const text =
    `You sent ${words} ${words === 1 ? 'word' : 'words'}` +
    (longest === undefined ? '.' : `, the longest of which is "${longest}".`) +
    ' I am a demo service of Slipway, not a language model, so this is as far as I can follow you.';
  return text.match(/\S+\s*/g) ?? [];
}

function countWords(text: string): number {
  return text.match(/\S+/g)?.length ?? 0;
}

function parseObject(body: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(body);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // Answered below, like any other body that is no object.
  }
  throw refusal(400, 'the body must be a JSON object');
}
