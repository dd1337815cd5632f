/** How a run of a container ended. */
export interface Exit {
  code: number;
  /** Default: `Completed` for 0, else `Error`. */
  reason?: string;
  message?: string;
}

/** One run of a container: a child process, one taken over from an earlier server, or a built-in image. */
export interface Instance {
  readonly id: string;
  /** In ms since the epoch. */
  readonly startedAt: number;
  /** Resolves when the run and all it left behind have ended. */
  readonly ended: Promise<Exit>;
  /** Asks it to end: SIGTERM to the process group, or the image's signal. */
  terminate(): void;
  /** Ends it: SIGKILL. */
  kill(): void;
  /** The pids that belong to it; none for a built-in image. */
  pids(): number[];
}

/** A program could not be started; the message is plain. */
export class StartError extends Error {
  override name = 'StartError';
}
