import DataLoader from 'dataloader';
import type { Context } from '../../../module.ts';
import type { Builder } from '../../../schema/builder.ts';
import { addConnection } from '../../../schema/connection.ts';
import { HttpMethod } from '../../../schema/enums.ts';
import type { Page } from '../../../schema/paging.ts';
import { Runs } from '../../runs/service.ts';
import type { Timings } from '../call.ts';
import { curlCommand } from '../curl.ts';
import type { Bodies, Entry } from '../entry.ts';
import type { ContentPreview } from '../preview.ts';
import { Invocations } from '../service.ts';
import type { InvocationChunk } from '../stream.ts';
import { InvocationOutcome, PreviewFormat } from './enums.ts';

/** An entry that has an answer. */
type Answered = Entry & { response: NonNullable<Entry['response']> };

declare module '../../../schema/object-types.ts' {
  interface ObjectTypes {
    Invocation: Entry;
    InvocationConnection: Page<Entry>;
    InvocationRequest: Entry;
    InvocationResponse: Answered;
    InvocationTimings: Timings;
    InvocationChunk: InvocationChunk;
    ContentPreview: ContentPreview;
  }
}

const noBodies: Bodies = { request: null, response: null };

/** Bodies are read only when asked for, and for a page at once. */
function bodyLoader(context: Context): DataLoader<string, Bodies> {
  const { history } = context.use(Invocations);
  return new DataLoader(async (ids) => {
    const found = await history?.bodies(context.caller.name, ids);
    return ids.map((id) => found?.get(id) ?? noBodies);
  });
}

function bodiesOf(entry: Entry, context: Context): Bodies | Promise<Bodies> {
  return entry.bodies ?? context.perRequest(bodyLoader).load(entry.id);
}

export function addInvocationTypes(builder: Builder): void {
  addInvocation(builder);
  addRequest(builder);
  addPreview(builder);
  addResponse(builder);
  builder.objectType('InvocationTimings', {
    description: 'How long a call took, from its beginning.',
    fields: (t) => ({
      totalMs: t.exposeFloat('totalMs', { nullable: true, description: 'To its end; null while it is under way.' }),
      connectMs: t.exposeFloat('connectMs', { nullable: true, description: 'To the connection.' }),
      firstByteMs: t.exposeFloat('firstByteMs', { nullable: true, description: 'To the status and headers.' }),
    }),
  });
  builder.objectType('InvocationChunk', {
    description: 'A part of a streamed answer.',
    fields: (t) => ({
      invocation: t.field({
        type: 'Invocation',
        nullable: true,
        description: 'The call: on the first and the last part.',
        resolve: (chunk) => chunk.invocation,
      }),
      text: t.exposeString('text', { nullable: true, description: 'What came, as text.' }),
      final: t.exposeBoolean('final', { description: 'Whether this is the last part.' }),
    }),
  });
  addConnection(builder, 'Invocation', 'invocations');
}

function addInvocation(builder: Builder): void {
  builder.node('Invocation', {
    description: 'A call of a service, as the history has it. Only who made it sees it.',
    id: { resolve: (entry) => entry.id },
    isTypeOf: (value) => typeof value === 'object' && value !== null && 'outcome' in value && 'timings' in value,
    loadOne: async (id, context) => (await context.use(Invocations).history?.get(context.caller.name, id)) ?? null,
    fields: (t) => ({
      serviceRun: t.field({
        type: 'ServiceRun',
        nullable: true,
        description: 'The run that was called; null once it is gone.',
        async resolve({ serviceRunId }, _, context) {
          const run = context.use(Runs).byId(serviceRunId);
          return run && (await context.access.allows('see', run)) ? run : null;
        },
      }),
      serviceRunId: t.exposeID('serviceRunId', { description: 'The id of the run that was called.' }),
      runId: t.exposeString('runId', { description: "The platform's id of that run." }),
      caller: t.exposeString('caller', { description: 'Who called.' }),
      outcome: t.expose('outcome', { type: InvocationOutcome(builder), description: 'How it ended.' }),
      errorCode: t.exposeString('errorCode', { nullable: true, description: 'The error code of a REFUSED one.' }),
      message: t.exposeString('message', { nullable: true, description: 'Why it was refused or failed.' }),
      recorded: t.exposeBoolean('recorded', { description: 'Whether the history has its headers and bodies.' }),
      replayable: t.boolean({
        description: 'Whether `replayInvocation` can make it again, with what was redacted or cut given anew.',
        resolve: ({ request }) => request.repeatable,
      }),
      request: t.field({ type: 'InvocationRequest', description: 'What was sent.', resolve: (entry) => entry }),
      response: t.field({
        type: 'InvocationResponse',
        nullable: true,
        description: 'What came back; null when nothing did.',
        resolve: (entry) => (entry.response ? { ...entry, response: entry.response } : null),
      }),
      startedAt: t.expose('startedAt', { type: 'DateTime', description: 'When it began.' }),
      timings: t.expose('timings', { type: 'InvocationTimings', description: 'How long it took.' }),
    }),
  });
}

function addRequest(builder: Builder): void {
  builder.objectType('InvocationRequest', {
    description: 'What was sent to a service.',
    fields: (t) => ({
      method: t.field({
        type: HttpMethod(builder),
        description: 'The method.',
        resolve: ({ request }) => request.method,
      }),
      url: t.string({
        nullable: true,
        description: 'The URL, with redacted query values.',
        resolve: ({ request }) => request.url,
      }),
      headers: t.field({
        type: ['HttpHeader'],
        description: 'The headers the caller gave.',
        resolve: ({ request }) => request.headers,
      }),
      body: t.string({
        nullable: true,
        description: 'The body, as far as it was kept.',
        resolve: async (entry, _, context) => (await bodiesOf(entry, context)).request,
      }),
      bodyBytes: t.int({ description: 'Bytes of the whole body.', resolve: ({ request }) => request.bodyBytes }),
      curl: t.string({
        nullable: true,
        description: 'A curl command for the same call, with placeholders for what was redacted or cut.',
        resolve: async (entry, _, context) => curlCommand(entry, (await bodiesOf(entry, context)).request),
      }),
    }),
  });
}

function addResponse(builder: Builder): void {
  builder.objectType('InvocationResponse', {
    description: "A service's answer.",
    fields: (t) => ({
      status: t.int({ description: 'The true status.', resolve: ({ response }) => response.status }),
      statusText: t.string({ description: 'Its words.', resolve: ({ response }) => response.statusText }),
      headers: t.field({
        type: ['HttpHeader'],
        description: 'The headers, in their order.',
        resolve: ({ response }) => response.headers,
      }),
      contentType: t.string({
        nullable: true,
        description: 'The content type as it was sent.',
        resolve: ({ response }) => response.contentType,
      }),
      body: t.string({
        nullable: true,
        description: 'The body decoded as text; null when there is none or it is not text.',
        resolve: async (entry, _, context) => (await bodiesOf(entry, context)).response,
      }),
      bodyBytes: t.int({
        description: 'Bytes of the body after decompression; of a body that is not text its declared length.',
        resolve: ({ response }) => response.bodyBytes,
      }),
      truncated: t.boolean({
        description: 'Whether a part of the body is missing.',
        resolve: ({ response }) => response.truncated,
      }),
      lossy: t.boolean({
        description: 'Whether some bytes were not text and became U+FFFD.',
        resolve: ({ response }) => response.lossy,
      }),
      preview: t.field({
        type: 'ContentPreview',
        nullable: true,
        description: 'What kind of text the body is, and its value if it is JSON or YAML.',
        async resolve(entry, _, context) {
          const { response: text } = await bodiesOf(entry, context);
          if (text === null) return null;
          const { contentType, truncated } = entry.response;
          return context.use(Invocations).previews.of({ text, contentType, truncated });
        },
      }),
    }),
  });
}

function addPreview(builder: Builder): void {
  builder.objectType('ContentPreview', {
    description: 'A body as what it stands for.',
    fields: (t) => ({
      format: t.expose('format', { type: PreviewFormat(builder), description: 'What kind of text it is.' }),
      value: t.field({
        type: 'JSON',
        nullable: true,
        description: 'The value of JSON or YAML.',
        resolve: ({ value }) => value,
      }),
      error: t.exposeString('error', { nullable: true, description: 'Why there is no value.' }),
    }),
  });
}
