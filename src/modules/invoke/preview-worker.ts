import { parentPort } from 'node:worker_threads';
import { type PreviewInput, preview } from './preview.ts';

parentPort?.on('message', (input: PreviewInput) => {
  parentPort?.postMessage(preview(input));
});
