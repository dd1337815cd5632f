import type { BuiltinImage } from '../runtime/images.ts';
import { serveHttp } from './http-program.ts';

/** Ends at once, as a program does whose configuration is wrong. */
export const crash: BuiltinImage = (context) => {
  context.log('INFO  starting billing-report 2.3.1');
  context.log('INFO  reading configuration from the environment');
  context.log('ERROR DATABASE_URL is not set: it must name the PostgreSQL database to report from');
  return Promise.resolve(1);
};

/** Runs, but never becomes ready: what it waits for does not come. */
export const neverReady: BuiltinImage = (context) =>
  serveHttp(context, ({ path }) => {
    if (path === '/ready')
      return { status: 503, json: { ready: false, reason: 'still waiting for the feature store' } };
    return { status: 503, json: { error: 'not ready' } };
  });
