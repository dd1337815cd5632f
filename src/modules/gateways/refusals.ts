import { InvalidInput, SlipwayError, throwInvalid } from '../../errors.ts';

/** Both, or every refusal at once. */
export async function allOf<A, B>(a: () => A | Promise<A>, b: () => B | Promise<B>): Promise<[A, B]> {
  const [x, y] = await Promise.allSettled([started(a), started(b)]);
  if (x.status === 'fulfilled' && y.status === 'fulfilled') return [x.value, y.value];
  const reasons: unknown[] = [x, y].flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
  throwInvalid(reasons.flatMap((reason) => (reason instanceof SlipwayError ? each(reason) : [])));
  throw reasons[0];
}

/** What is thrown at once counts as rejected. */
async function started<T>(make: () => T | Promise<T>): Promise<T> {
  return await make();
}

const each = (error: SlipwayError): readonly SlipwayError[] => (error instanceof InvalidInput ? error.errors : [error]);
