/** What Slipway writes on the objects it makes (architecture, section 8) and reads back. */
export const managedByLabel = 'app.kubernetes.io/managed-by';
export const managedBySlipway = 'slipway';
export const runLabel = 'slipway.dev/run';
export const projectLabel = 'slipway.dev/project';
export const functionLabel = 'slipway.dev/function';

/** How many replicas a stopped run had. */
export const replicasAnnotation = 'slipway.dev/replicas';
/** When a run was stopped: Kubernetes keeps no time for it. */
export const stoppedAtAnnotation = 'slipway.dev/stopped-at';
export const protocolAnnotation = 'slipway.dev/protocol';
export const modelAnnotation = 'slipway.dev/model';
export const userAnnotation = 'slipway.dev/user';
/** Hashes of idempotency keys with their inputs and times; never the keys themselves. */
export const idempotencyAnnotation = 'slipway.dev/idempotency';

/** On the Service that stands for a deleted run: its id. */
export const deletedRunLabel = 'slipway.dev/deleted-run';
/** On the same: what was deleted, as `Deployment/web/<uid>`. */
export const deletedAnnotation = 'slipway.dev/deleted';
/** On the same: what the delete answered, compressed. */
export const manifestsAnnotation = 'slipway.dev/manifests';

/** The image that stands for a local program; only the embedded cluster can run it. */
export const processImage = 'slipway.dev/process';
