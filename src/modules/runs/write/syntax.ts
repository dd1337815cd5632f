/** The syntax rules of Kubernetes that inputs are held to before anything is written. */

/** RFC 1035 label: what a Service may be called. */
export const isServiceName = (text: string): boolean => text.length <= 63 && /^[a-z]([-a-z0-9]*[a-z0-9])?$/.test(text);

/** RFC 1123 label: what a namespace may be called. */
export const isDnsLabel = (text: string): boolean => text.length <= 63 && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(text);

/** RFC 1123 subdomain: what a Secret may be called. */
export const isDnsName = (text: string): boolean =>
  text.length <= 253 && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(text);

/** What a port of a container may be called: at most 15 characters with at least one letter. */
export const isPortName = (text: string): boolean =>
  text.length <= 15 && /^[a-z0-9]+(-[a-z0-9]+)*$/.test(text) && /[a-z]/.test(text);

export const isPortNumber = (value: number): boolean => Number.isInteger(value) && value >= 1 && value <= 65_535;

export const isEnvName = (text: string): boolean => /^[-._a-zA-Z][-._a-zA-Z0-9]*$/.test(text);

export const isSecretKey = (text: string): boolean => text.length <= 253 && /^[-._a-zA-Z0-9]+$/.test(text);

const labelWord = /^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/;

export const isLabelValue = (text: string): boolean => text === '' || (text.length <= 63 && labelWord.test(text));

export function isLabelKey(text: string): boolean {
  const slash = text.indexOf('/');
  const [prefix, name] = slash < 0 ? [null, text] : [text.slice(0, slash), text.slice(slash + 1)];
  return (prefix === null || isDnsName(prefix)) && name.length <= 63 && labelWord.test(name);
}

const reservedDomains = ['kubernetes.io', 'k8s.io', 'slipway.dev'];

/** Keys that mean something to Kubernetes, Slipway or the platform: a run may not pose as something else. */
export function isReservedLabelKey(key: string): boolean {
  const prefix = key.slice(0, Math.max(0, key.indexOf('/')));
  return (
    prefix === 'dhcore' ||
    prefix.startsWith('dhcore.') ||
    reservedDomains.some((domain) => prefix === domain || prefix.endsWith(`.${domain}`))
  );
}

/** Without white space and control characters, of any registry. */
export const isImage = (text: string): boolean => text.length <= 512 && /^[A-Za-z0-9][\w.\-/:@]*$/.test(text);

/** An absolute path with optional query, as it goes over the wire. */
export const isHttpPath = (text: string): boolean =>
  text.length <= 1024 && /^\/[!-~]*$/.test(text) && !text.includes('#');

/** 8 to 128 printable characters. */
export function isIdempotencyKey(text: string): boolean {
  return /^\P{C}{8,128}$/u.test(text);
}
