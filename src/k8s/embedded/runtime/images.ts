/** The image name of containers that are local programs: `command` and `args` are run as a child process. */
export const processImage = 'slipway.dev/process';

/** What a built-in image gets when a container starts. */
export interface ImageContext {
  /** The Pod's address: listen on it, and on no other. */
  host: string;
  /** The container's first port; 0 when it declares none. */
  port: number;
  env: Readonly<Record<string, string>>;
  /** The container's `command` and `args`, expanded. */
  args: readonly string[];
  /** Aborted when the container is to end; what still runs after its grace period is left alone. */
  signal: AbortSignal;
  /** Writes a line to the container's log. */
  readonly log: (line: string) => void;
}

/** A program inside this process. What it returns is its exit code; throwing is exit code 1 with the message in the log. */
export type BuiltinImage = (context: ImageContext) => Promise<number>;
