import type { Header } from './headers.ts';
import type { Redaction } from './service.ts';

/** What stands for a redacted value; never sent to a service. */
export const redactedValue = '***';

export interface RecordedHeader extends Header {
  redacted: boolean;
}

const names = new Set(['authorization', 'proxy-authorization', 'cookie', 'set-cookie', 'x-api-key']);
const pattern = /token|secret|passw|key|credential|session|signature|\bsig\b|\bauth\b/i;

/** The names that never reach the history in the clear, whatever else is configured. */
export const builtinRedaction: Redaction = {
  redacts: (_kind, name) => names.has(name.toLowerCase()) || pattern.test(name),
};

/** Applies every Redaction provider: one that says so is enough. */
export interface Redactor {
  headers(headers: readonly Header[]): RecordedHeader[];
  /** Redacts the query of a path or URL, byte for byte otherwise. */
  url(url: string): string;
}

export function createRedactor(providers: readonly Redaction[]): Redactor {
  const all = [builtinRedaction, ...providers];
  const redacts = (kind: 'header' | 'query', name: string) => all.some((provider) => provider.redacts(kind, name));
  const parameter = (text: string): string => {
    const equals = text.indexOf('=');
    if (equals < 0) return text;
    const key = text.slice(0, equals);
    return redacts('query', decodeKey(key)) ? `${key}=${redactedValue}` : text;
  };
  return {
    headers: (headers) =>
      headers.map(({ name, value }) =>
        redacts('header', name.toLowerCase())
          ? { name, value: redactedValue, redacted: true }
          : { name, value, redacted: false },
      ),
    url: (url) => {
      const start = url.indexOf('?');
      if (start < 0) return url;
      const query = url.slice(start + 1).split(/([&;])/);
      return `${url.slice(0, start)}?${query.map(parameter).join('')}`;
    },
  };
}

function decodeKey(key: string): string {
  try {
    return decodeURIComponent(key.replaceAll('+', ' '));
  } catch {
    return key; // not percent-encoding: judged as it stands
  }
}

/** True when the query of a recorded URL has a value that was redacted. */
export function hasRedactedQuery(url: string): boolean {
  return /[?&;][^&;=]*=\*\*\*(?=[&;]|$)/.test(url);
}
