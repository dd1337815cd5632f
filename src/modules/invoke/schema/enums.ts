import { perBuilder } from '../../../schema/builder.ts';

export const InvocationOutcome = perBuilder((builder) =>
  builder.enumType('InvocationOutcome', {
    description: 'How a call ended. Whatever the service answered, a 500 too, is COMPLETED.',
    values: {
      IN_PROGRESS: { description: 'It is under way.' },
      REFUSED: { description: 'It was refused before anything was sent; `errorCode` says why.' },
      COMPLETED: { description: 'The service answered, whatever its status.' },
      TIMEOUT: { description: 'The service did not answer, or not to the end, within the time limits.' },
      UNREACHABLE: { description: 'The service took no connection.' },
      RESPONSE_TOO_LARGE: { description: 'The answer was larger than the limit; its beginning is there.' },
      UNSUPPORTED_CONTENT: { description: 'The answer is not text; its status and headers are there.' },
      PROTOCOL_ERROR: { description: 'The answer is not proper HTTP, or broke off.' },
      CANCELLED: { description: 'The caller went away, or the server was stopped, before the end.' },
    } as const,
  }),
);

export const PreviewFormat = perBuilder((builder) =>
  builder.enumType('PreviewFormat', {
    description: 'What kind of text a body is.',
    values: {
      JSON: { description: 'JSON: parsed into `value`.' },
      YAML: { description: 'YAML: parsed into `value`; several documents are a list.' },
      NDJSON: { description: 'JSON values, one a line.' },
      XML: { description: 'XML.' },
      HTML: { description: 'HTML.' },
      TEXT: { description: 'Any other text.' },
    } as const,
  }),
);
