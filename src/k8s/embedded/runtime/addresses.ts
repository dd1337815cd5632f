/** The one fixed range inside 127.0.0.0/8 from which the embedded cluster takes its addresses. */
export const embeddedRange = '127.64.0.0/10';

/** Hands out the addresses of Pods and Services. */
export interface AddressPool {
  /** True for addresses of the embedded range (or, without aliases, 127.0.0.1). */
  owns(address: string): boolean;
  /** Whether the system lets us listen on any 127.x.y.z; if not, everything is 127.0.0.1 with free ports. */
  readonly aliases: boolean;
  /** An address that no present Pod or Service has. */
  allocate(): string;
  /** Marks an address as taken (read back from the store after a restart). */
  reserve(address: string): void;
  release(address: string): void;
}
