import { type DestinationStream, type Logger, pino } from 'pino';

/** Structured log, one JSON object a line. Never pass it headers, bodies or secrets. */
export type Log = Logger;

const secretPaths = [
  'authorization',
  'cookie',
  'password',
  'token',
  '*.authorization',
  '*.cookie',
  '*.password',
  '*.token',
];

/** The time as a member of a line, made once for all lines of a millisecond. */
function createTimestamp(): () => string {
  let last = { at: Number.NaN, text: '' };
  return () => {
    const at = Date.now();
    if (at !== last.at) last = { at, text: `,"time":"${new Date(at).toISOString()}"` };
    return last.text;
  };
}

/** Creates the process's root log. What it still holds at the end of the process is written by its `flush`. */
export function createLog(level: string, destination: DestinationStream = standardOutput()): Log {
  const options = {
    level,
    base: null,
    timestamp: createTimestamp(),
    formatters: { level: (label: string) => ({ level: label }) },
    redact: { paths: secretPaths, censor: '[redacted]' },
  };
  return pino(options, destination);
}

/** So much waits for the end of a turn at most. */
const mostWaiting = 8_192;

/** The lines of one turn of the event loop leave in one write, after what the turn was for. */
function standardOutput(): DestinationStream & { flush(): void } {
  const output = pino.destination({ sync: true });
  let lines = '';
  const send = () => {
    const all = lines;
    lines = '';
    if (all !== '') output.write(all);
  };
  return {
    write(line) {
      if (lines === '') setImmediate(send);
      lines += line;
      if (lines.length > mostWaiting) send();
    },
    flush() {
      send();
      output.flushSync();
    },
  };
}
