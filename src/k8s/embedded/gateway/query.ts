/** One `name=value` of a query string, with its bytes as they came. */
interface QueryPart {
  raw: string;
  name: string;
  value: string;
}

function parse(query: string): QueryPart[] {
  if (query.length < 2) return [];
  return query
    .slice(1)
    .split('&')
    .map((raw) => {
      const cut = raw.indexOf('=');
      return {
        raw,
        name: decode(cut < 0 ? raw : raw.slice(0, cut)),
        value: cut < 0 ? '' : decode(raw.slice(cut + 1)),
      };
    });
}

function decode(text: string): string {
  const plain = text.replaceAll('+', ' ');
  try {
    return decodeURIComponent(plain);
  } catch {
    // Malformed escapes are taken literally, as browsers do.
    return plain;
  }
}

/** The decoded values of a query parameter; `query` begins with `?` or is empty. */
export function queryValues(query: string, name: string): string[] {
  return parse(query)
    .filter((part) => part.name === name)
    .map((part) => part.value);
}

/** The query without a parameter; all other bytes stay as they are. */
export function removeQueryParameter(query: string, name: string): string {
  const parts = parse(query);
  const kept = parts.filter((part) => part.name !== name);
  if (kept.length === parts.length) return query;
  return kept.length === 0 ? '' : `?${kept.map((part) => part.raw).join('&')}`;
}
