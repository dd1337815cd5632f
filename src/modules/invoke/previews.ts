import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Clock } from '../../clock.ts';
import { type ContentPreview, type PreviewInput, formatOf, preview } from './preview.ts';

/** Previews of bodies, none of which holds up anything else for long. */
export interface Previews {
  of(input: PreviewInput): ContentPreview | Promise<ContentPreview>;
  close(): Promise<void>;
}

interface Job {
  input: PreviewInput;
  settle: (found: ContentPreview) => void;
}

/** So little YAML is parsed in a few milliseconds, whatever is in it; JSON of any size is. */
const longestInline = 2_048;
const maxMs = 5_000;
const mostWaiting = 100;
const maxMegabytes = 192;

/** Longer YAML, of which 64 KiB can take a second, is parsed in a thread of its own, one after the other. */
export function createPreviews(clock: Clock): Previews {
  const waiting: Job[] = [];
  let current: Job | null = null;
  let worker: Worker | null = null;
  let stopTimer = () => {};

  const settle = (found: ContentPreview) => {
    stopTimer();
    current?.settle(found);
    current = null;
    next();
  };
  const abandon = (why: string) => {
    worker?.removeAllListeners();
    // An error that is already on its way is of nobody's interest.
    worker?.on('error', () => {});
    void worker?.terminate();
    worker = null;
    settle(withoutValue(why));
  };
  const start = (): Worker => {
    // In a build it is JavaScript, as this file is.
    const program = new URL(`./preview-worker${extname(import.meta.url)}`, import.meta.url);
    const started = new Worker(program, { resourceLimits: { maxOldGenerationSizeMb: maxMegabytes } });
    started.on('message', settle);
    started.on('error', () => abandon('Parsing it takes too much memory for a preview.'));
    return started;
  };
  function next(): void {
    if (current) return;
    current = waiting.shift() ?? null;
    // An idle thread is no reason for the process to live on.
    if (!current) return worker?.unref();
    worker ??= start();
    worker.ref();
    stopTimer = clock.after(maxMs, () => abandon('Parsing it takes too long for a preview.'));
    worker.postMessage(current.input);
  }

  return {
    of(input) {
      if (input.text.length <= longestInline || formatOf(input) !== 'YAML') return preview(input);
      if (waiting.length >= mostWaiting) return withoutValue('Too many previews are under way. Ask again.');
      return new Promise((resolve) => {
        waiting.push({ input, settle: resolve });
        next();
      });
    },
    async close() {
      stopTimer();
      for (const { settle: end } of [...(current ? [current] : []), ...waiting.splice(0)]) {
        end(withoutValue('The server is stopping.'));
      }
      current = null;
      await worker?.terminate();
    },
  };
}

function withoutValue(error: string): ContentPreview {
  return { format: 'YAML', value: null, error };
}
