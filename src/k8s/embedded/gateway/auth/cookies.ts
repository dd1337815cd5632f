import { type HeaderLines, headerValues } from '../headers.ts';

function parse(value: string): { raw: string; name: string; value: string }[] {
  return value.split(';').map((part) => {
    const raw = part.trim();
    const cut = raw.indexOf('=');
    const content = cut < 0 ? '' : raw.slice(cut + 1);
    return { raw, name: cut < 0 ? raw : raw.slice(0, cut), value: content.replace(/^"(.*)"$/, '$1') };
  });
}

export function cookieValues(headers: HeaderLines, name: string): string[] {
  return headerValues(headers, 'cookie')
    .flatMap(parse)
    .filter((cookie) => cookie.name === name)
    .map((cookie) => cookie.value);
}

/** The headers without one cookie; a Cookie line that held nothing else goes. */
export function removeCookie(headers: HeaderLines, name: string): HeaderLines {
  return headers.flatMap(([header, value]): HeaderLines => {
    if (header.toLowerCase() !== 'cookie') return [[header, value]];
    const kept = parse(value).filter((cookie) => cookie.name !== name && cookie.raw !== '');
    return kept.length === 0 ? [] : [[header, kept.map((cookie) => cookie.raw).join('; ')]];
  });
}
