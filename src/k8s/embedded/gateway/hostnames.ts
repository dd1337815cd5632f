/** Stands for every host name, in routing tables. */
export const anyHostname = '*';

/** Whether a host name (lower case, no port) is meant by a pattern: exact, `*.suffix` (one or more labels) or any. */
export function hostnameMatches(pattern: string, host: string): boolean {
  if (pattern === anyHostname) return true;
  if (!pattern.startsWith('*.')) return pattern === host;
  const suffix = pattern.slice(1);
  return host.length > suffix.length && host.endsWith(suffix);
}

/** The host names that a listener and a route have in common: the narrower of the two, or null when there are none. */
export function intersectHostnames(listener: string, route: string): string | null {
  if (listener === route || covers(listener, route)) return route;
  return covers(route, listener) ? listener : null;
}

function covers(wide: string, narrow: string): boolean {
  if (wide === anyHostname) return true;
  if (narrow === anyHostname || !wide.startsWith('*.')) return false;
  return hostnameMatches(wide, narrow.startsWith('*.') ? narrow.slice(1) : narrow);
}

/** Where one host name is looked up: exact names first, then the longest wildcard, then any. */
export interface HostMap<T> {
  get(host: string): { hostname: string; value: T } | undefined;
}

export function createHostMap<T>(entries: ReadonlyMap<string, T>): HostMap<T> {
  const wildcards = [...entries].filter(([name]) => name.startsWith('*.')).toSorted(([a], [b]) => b.length - a.length);
  const any = entries.get(anyHostname);
  return {
    get(host) {
      const exact = host === anyHostname ? undefined : entries.get(host);
      if (exact !== undefined) return { hostname: host, value: exact };
      const wildcard = wildcards.find(([name]) => hostnameMatches(name, host));
      if (wildcard) return { hostname: wildcard[0], value: wildcard[1] };
      return any === undefined ? undefined : { hostname: anyHostname, value: any };
    },
  };
}
