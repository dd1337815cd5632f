import { ApiError, type TransportReason } from './api-error.ts';

const timeouts = new Set(['UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT', 'ETIMEDOUT']);
const messages: Record<TransportReason, string> = {
  Unreachable: 'the API server can not be reached, or it ended the connection',
  NoAnswerInTime: 'the API server did not answer in time',
  Aborted: 'the request was given up',
  BadAnswer: 'what answers is not an API server',
};

/** What undici or a socket threw, without addresses; the original is the cause. */
export function transportError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  const code = (error as { code?: unknown } | null)?.code;
  const name = (error as { name?: unknown } | null)?.name;
  const reason: TransportReason =
    name === 'AbortError' || code === 'UND_ERR_ABORTED'
      ? 'Aborted'
      : name === 'TimeoutError' || timeouts.has(String(code))
        ? 'NoAnswerInTime'
        : name === 'HTTPParserError'
          ? 'BadAnswer'
          : 'Unreachable';
  const detail = typeof code === 'string' && reason === 'Unreachable' ? ` (${code})` : '';
  return new ApiError(0, reason, messages[reason] + detail, { cause: error });
}
