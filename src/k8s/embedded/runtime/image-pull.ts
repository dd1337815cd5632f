import type { Clock } from '../../../clock.ts';
import type { Tell } from './container-run.ts';
import { processImage } from './images.ts';

/** The pull of an image that this cluster does not have, which fails and fails again as on a real node. */
export interface ImagePull {
  /** What the container waits for, and when that changes. */
  attempt(images: readonly string[]): { reason: string; message: string; checkAt: number };
}

const shownMs = 2000;
const firstDelayMs = 10_000;
const maxDelayMs = 300_000;

function explanation(images: readonly string[]): string {
  const known = [processImage, ...images].map((image) => `"${image}"`).join(', ');
  return `this cluster runs no containers: it has only the images ${known}. Run a local program (${processImage}) instead, or connect to a real cluster.`;
}

export function createImagePull({ image, clock, event }: { image: string; clock: Clock; event: Tell }): ImagePull {
  let delayMs = 0;
  let triedAt = -Infinity;
  let told = false;
  return {
    attempt(images) {
      const now = clock.now();
      const message = explanation(images);
      if (now >= triedAt + delayMs) {
        triedAt = now;
        delayMs = delayMs === 0 ? firstDelayMs : Math.min(delayMs * 2, maxDelayMs);
        told = false;
        event('Normal', 'Pulling', `Pulling image "${image}"`);
        event('Warning', 'Failed', `Failed to pull image "${image}": ${message}`);
        event('Warning', 'Failed', 'Error: ErrImagePull');
      }
      if (now < triedAt + shownMs) return { reason: 'ErrImagePull', message, checkAt: triedAt + shownMs };
      if (!told) {
        told = true;
        event('Normal', 'BackOff', `Back-off pulling image "${image}"`);
        event('Warning', 'Failed', 'Error: ImagePullBackOff');
      }
      const wait = `Back-off pulling image "${image}": ErrImagePull: ${message}`;
      return { reason: 'ImagePullBackOff', message: wait, checkAt: triedAt + delayMs };
    },
  };
}
