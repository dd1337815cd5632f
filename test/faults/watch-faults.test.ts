import { describe, expect, test } from 'vitest';
import { startWatching, until } from './watching.ts';

describe('a watch', () => {
  test('lists, then follows changes, each exactly once', async () => {
    await using watching = await startWatching({ prepare: (api) => void api.put('a') });
    const { api, events, converged } = watching;
    await converged();
    api.put('b');
    api.put('a', 2);
    api.remove('b');
    await until(() => events.length === 4);
    expect(events).toEqual(['ADDED a uid-1 1', 'ADDED b uid-2 1', 'MODIFIED a uid-1 2', 'DELETED b uid-2 1']);
    await converged();
    expect(api.count('list')).toBe(1);
  });
});
