import type { BuiltinImage } from '../runtime/images.ts';
import { chat } from './chat.ts';
import { echo } from './echo.ts';
import { crash, neverReady } from './failing.ts';
import { iris } from './iris.ts';

/** The demo programs by image name. */
export const images: Readonly<Record<string, BuiltinImage>> = {
  'slipway.dev/demo/echo': echo,
  'slipway.dev/demo/iris': iris,
  'slipway.dev/demo/chat': chat,
  'slipway.dev/demo/crash': crash,
  'slipway.dev/demo/never-ready': neverReady,
};
