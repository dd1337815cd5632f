/**
 * The value behind each GraphQL object type, by name. A module adds its own:
 *
 * @example
 * declare module 'slipway' {
 *   interface ObjectTypes { Cost: { euro: number } }
 * }
 */
// oxlint-disable-next-line typescript/no-empty-object-type -- filled in by the modules
export interface ObjectTypes {}

/** The value behind each GraphQL interface type, by name. */
// oxlint-disable-next-line typescript/no-empty-object-type -- filled in by the modules
export interface InterfaceTypes {}
