import { type Log, createLog } from '../../../src/log.ts';

interface Line {
  level: string;
  msg: string;
  [field: string]: unknown;
}

/** A log that the test reads. */
export interface CapturedLog {
  readonly log: Log;
  readonly lines: Line[];
  /** Resolves with the next line, or one that is there already, whose message matches. */
  readonly line: (message: RegExp) => Promise<Line>;
}

export function captureLog(level = 'info'): CapturedLog {
  const lines: Line[] = [];
  const waiting = new Set<(line: Line) => void>();
  const log = createLog(level, {
    write(text) {
      const line = JSON.parse(text) as Line;
      lines.push(line);
      for (const check of waiting) check(line);
    },
  });
  return {
    log,
    lines,
    line: (message) =>
      new Promise((resolve) => {
        const check = (line: Line) => {
          if (!message.test(line.msg)) return;
          waiting.delete(check);
          resolve(line);
        };
        waiting.add(check);
        const present = lines.find((line) => message.test(line.msg));
        if (present) check(present);
      }),
  };
}
