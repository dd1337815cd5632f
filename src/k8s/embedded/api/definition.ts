import type { KubeObject } from '../../resources.ts';
import type { Schema } from './schema.ts';
import type { FieldError } from './status.ts';

/** An object while it is being prepared: raw JSON that may still change. */
export type Draft = KubeObject & { spec?: unknown; status?: unknown } & Record<string, unknown>;

/** What a kind may ask for while an object of it is created, changed or removed. */
export interface Surroundings {
  now(): number;
  allocateClusterIP(): string;
  releaseClusterIP(address: string): void;
}

/** A column of `kubectl get`. */
export interface Column {
  name: string;
  type: 'string' | 'integer' | 'date';
  format?: 'name';
  /** 0: always shown, 1: with `-o wide`. */
  priority?: 0 | 1;
  description: string;
  cell(object: Draft, now: number): string | number | null;
}

/** The scale subresource: where a kind keeps what it shows. */
export interface ScalePaths {
  specReplicas(object: Draft): number;
  statusReplicas(object: Draft): number;
  selector(object: Draft): string;
  setReplicas(object: Draft, replicas: number): void;
}

/** Everything the server knows of one kind. The rest of it is generic. */
export interface Definition {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly singular: string;
  readonly namespaced: boolean;
  readonly shortNames?: readonly string[];
  readonly categories?: readonly string[];
  /** A custom resource: unknown fields are pruned, zero values kept, and the schema's own limits and rules checked. */
  readonly custom?: boolean;
  readonly description: string;
  readonly schema: Schema;
  /** Writes to the main resource leave `status` as it is, and the other way round. */
  readonly statusSubresource?: boolean;
  readonly scale?: ScalePaths;
  readonly logs?: boolean;
  /** A delete answers with the object instead of a Status. */
  readonly deleteReturnsObject?: boolean;
  /** Replacing what is not there makes it. */
  readonly createOnUpdate?: boolean;
  /** Objects can be deleted one by one only. */
  readonly singleDelete?: boolean;
  /** What of the metadata a write to `status` leaves as it is, besides what no write can change. */
  readonly statusKeeps?: readonly ('labels' | 'ownerReferences')[];
  /** The parts whose change counts as a new generation; absent: the kind has no generation. */
  readonly generationOf?: (object: Draft) => unknown;
  readonly columns: readonly Column[];
  /** Selectable fields besides metadata.name and metadata.namespace. */
  readonly selectableFields?: Readonly<Record<string, (object: Draft) => string>>;
  /** Objects go by themselves after this time. */
  readonly ttlMs?: number;
  /** How metadata.name must look; absent: as a subdomain. */
  readonly nameRule?: 'label';
  /** Fills in what the client may leave out; runs on every read of input, so it must not depend on anything else. */
  readonly applyDefaults?: (object: Draft, old: Draft | undefined) => void;
  readonly prepareCreate?: (object: Draft, around: Surroundings) => void;
  /** Takes what the object needs from the surroundings, after validation. */
  readonly allocate?: (object: Draft, around: Surroundings) => void;
  readonly prepareUpdate?: (object: Draft, old: Draft, around: Surroundings) => void;
  readonly validate?: (object: Draft) => FieldError[];
  readonly validateUpdate?: (object: Draft, old: Draft) => FieldError[];
  /** Seconds between the request to delete and the end: the object stays with a deletionTimestamp meanwhile. */
  readonly gracePeriod?: (object: Draft, asked: number | undefined) => number;
  /** Runs once, when the deletionTimestamp is set. */
  readonly markDeleted?: (object: Draft) => void;
  readonly afterDelete?: (object: Draft, around: Surroundings) => void;
}

export function groupVersionOf(definition: Pick<Definition, 'group' | 'version'>): string {
  return definition.group ? `${definition.group}/${definition.version}` : definition.version;
}
