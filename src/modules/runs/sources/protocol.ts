import type { ServiceProtocol } from '../service.ts';

const protocols: readonly string[] = ['HTTP', 'OPEN_INFERENCE', 'OPENAI'] satisfies ServiceProtocol[];

/** The protocol a label or annotation names, in any case; null for anything else. */
export function toProtocol(text: string | undefined): ServiceProtocol | null {
  const word = text?.toUpperCase().replaceAll('-', '_');
  return word !== undefined && protocols.includes(word) ? (word as ServiceProtocol) : null;
}
