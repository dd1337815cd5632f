import type { InvokeConfig } from './config.ts';
import type { Header } from './headers.ts';
import type { Redaction } from './service.ts';

/** What stands for redacted text; never sent to a service. */
export const redactedValue = '***';

const mostNames = 1_000;
const longestName = 64;

export interface RecordedHeader extends Header {
  redacted: boolean;
}

const names = new Set(['authorization', 'proxy-authorization', 'cookie', 'set-cookie', 'x-api-key']);
const pattern = /token|secret|passw|key|credential|session|signature|\bsig\b|\bauth\b/i;

/** Their values are URLs, or have one. */
const links = new Set(['location', 'content-location', 'referer', 'link', 'refresh']);

/** The names that never reach the history in the clear, whatever else is configured. */
export const builtinRedaction: Redaction = {
  redacts: (_kind, name) => names.has(name.toLowerCase()) || pattern.test(name),
};

/** Applies every Redaction provider: one that says so is enough. */
export interface Redactor {
  headers(headers: readonly Header[]): RecordedHeader[];
  /** Redacts the query of a path or URL, byte for byte otherwise. */
  url(url: string): string;
  /** Redacts what the configuration says anywhere in a text. */
  text(text: string): string;
}

export function createRedactor(
  providers: readonly Redaction[],
  config: Pick<InvokeConfig, 'redactNames' | 'redactValues'>,
): Redactor {
  const configured = config.redactNames.map((source) => new RegExp(source, 'i'));
  const values = config.redactValues.map((source) => new RegExp(source, 'gi'));
  const others = providers.filter((provider) => provider !== builtinRedaction);
  const judged = new Map<string, boolean>();
  /** By the names alone: that never changes, and the same few come with every call. */
  const always = (name: string): boolean => {
    const present = judged.get(name);
    if (present !== undefined) return present;
    const found = builtinRedaction.redacts('header', name) || configured.some((one) => one.test(name));
    if (name.length <= longestName && judged.size < mostNames) judged.set(name, found);
    return found;
  };
  const redacts = (kind: 'header' | 'query', name: string): boolean =>
    always(name) || others.some((provider) => provider.redacts(kind, name));
  const text = (whole: string) => values.reduce((left, value) => left.replace(value, redactedValue), whole);
  const parameter = (part: string): string => {
    const equals = part.indexOf('=');
    if (equals < 0) return part;
    const key = part.slice(0, equals);
    return redacts('query', decodeKey(key)) ? `${key}=${redactedValue}` : part;
  };
  const url = (whole: string): string => {
    const start = whole.indexOf('?');
    if (start < 0) return text(whole);
    const query = whole.slice(start + 1).split(/([&;])/);
    return text(`${whole.slice(0, start)}?${query.map(parameter).join('')}`);
  };
  const value = (name: string, given: string): string => {
    if (redacts('header', name)) return redactedValue;
    return links.has(name) ? url(given) : text(given);
  };
  return {
    headers: (headers) =>
      headers.map((header) => {
        const kept = value(header.name.toLowerCase(), header.value);
        return { name: header.name, value: kept, redacted: kept !== header.value };
      }),
    url,
    text,
  };
}

function decodeKey(key: string): string {
  try {
    return decodeURIComponent(key.replaceAll('+', ' '));
  } catch {
    return key; // not percent-encoding: judged as it stands
  }
}

/** True when something of a recorded URL was redacted. */
export function isRedacted(url: string): boolean {
  return url.includes(redactedValue);
}
