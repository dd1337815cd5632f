/** One reason why the server does not start: where, what, and how to mend it. */
export interface Problem {
  /** The module, or `server` for the core's own settings. */
  module: string;
  /** The configuration key, dotted, or the environment variable. */
  field?: string;
  message: string;
  remedy: string;
}

/** Everything that is wrong with the configuration, at once. The process ends with exit code 78 (EX_CONFIG). */
export class BootError extends Error {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super(problems.map(describe).join('\n'));
    this.name = 'BootError';
    this.problems = problems;
  }
}

function describe({ module, field, message, remedy }: Problem): string {
  return `${module}${field ? `.${field}` : ''}: ${message} ${remedy}`;
}
