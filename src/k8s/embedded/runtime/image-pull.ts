import type { Clock } from '../../../clock.ts';
import type { Tell } from './container-run.ts';

/** The pull of an image that this cluster does not have, which fails and fails again as on a real node. */
export interface ImagePull {
  /** What the container waits for, and when that changes. */
  attempt(): { reason: string; message: string; checkAt: number };
}

const shownMs = 2000;
const firstDelayMs = 10_000;
const maxDelayMs = 300_000;

const explanation = 'this cluster runs no containers, only local programs (`process`) and its demo images';

export function createImagePull({ image, clock, event }: { image: string; clock: Clock; event: Tell }): ImagePull {
  let delayMs = 0;
  let triedAt = -Infinity;
  let told = false;
  return {
    attempt() {
      const now = clock.now();
      if (now >= triedAt + delayMs) {
        triedAt = now;
        delayMs = delayMs === 0 ? firstDelayMs : Math.min(delayMs * 2, maxDelayMs);
        told = false;
        event('Normal', 'Pulling', `Pulling image "${image}"`);
        event('Warning', 'Failed', `Failed to pull image "${image}": ${explanation}`);
        event('Warning', 'Failed', 'Error: ErrImagePull');
      }
      if (now < triedAt + shownMs) {
        return { reason: 'ErrImagePull', message: explanation, checkAt: triedAt + shownMs };
      }
      if (!told) {
        told = true;
        event('Normal', 'BackOff', `Back-off pulling image "${image}"`);
        event('Warning', 'Failed', 'Error: ImagePullBackOff');
      }
      const wait = `Back-off pulling image "${image}": ErrImagePull: ${explanation}`;
      return { reason: 'ImagePullBackOff', message: wait, checkAt: triedAt + delayMs };
    },
  };
}
