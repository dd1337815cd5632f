import { describe, expect, test } from 'vitest';
import { fakeObject } from './api-server/server.ts';
import { changeInTheGap, first, gap, prepare } from './gap.ts';
import { type Watching, nextTurn, startWatching, until } from './watching.ts';

describe('a stream that ends', () => {
  test('a watch lists once, then follows changes, each exactly once', async () => {
    await using watching = await startWatching({ prepare });
    await watching.ready();
    changeInTheGap(watching);
    await watching.converged();
    expect(watching.events).toEqual([...first, ...gap]);
    expect(watching.api.count('list')).toBe(1);
    expect(watching.check()).toEqual([]);
  });

  test.for([
    { fault: '1: FIN in the middle', end: (watching: Watching) => endOfConnection(watching) },
    { fault: '2: RST in the middle', end: (watching: Watching) => watching.api.disconnect('reset') },
    { fault: '4: the time-out of the server', end: (watching: Watching) => watching.api.disconnect('end') },
  ])('fault $fault: the next watch goes on from there, without a list', async ({ end }) => {
    await using watching = await startWatching({ prepare });
    await watching.ready();
    end(watching);
    changeInTheGap(watching);
    await watching.converged();
    expect(watching.events).toEqual([...first, ...gap]);
    expect(watching.api.count('list')).toBe(1);
    expect(watching.check()).toEqual([]);
    expect(watching.api.mostWatches).toBe(1);
  });

  test('fault 3: half-open: what neither speaks nor ends is given up in 15 s', async () => {
    await using watching = await startWatching({ prepare, random: () => 0.999 });
    const { api } = watching;
    await watching.ready();
    const [silent] = api.openWatches().map(({ exchange }) => exchange.response);
    api.mute();
    changeInTheGap(watching);
    await watching.flow(() => watching.events.length > first.length, 15_000 + 1_600);
    expect(silent?.destroyed).toBe(true);
    await watching.converged();
    expect(watching.events).toEqual([...first, ...gap]);
    expect(api.count('list')).toBe(1);
    expect(watching.check()).toEqual([]);
  });

  test('fault 21: a watch that a starting server answers late lasts as long as any other', async () => {
    await using watching = await startWatching({ prepare });
    const { api, clock } = watching;
    await watching.ready();
    const lasted: number[] = [];
    api.onWatch((exchange) => {
      clock.after(7_000, () => {
        const began = clock.now();
        exchange.response.once('close', () => lasted.push(clock.now() - began));
        exchange.serve();
      });
    });
    api.disconnect();
    await watching.flow(() => lasted.length > 0, 30_000);
    expect(lasted[0]).toBeGreaterThanOrEqual(8_000);
    expect(watching.watchState().error).toBeNull();
    await watching.converged();
  });

  test('fault 3: a request for a watch or a list that is never answered is given up too', async () => {
    await using watching = await startWatching({ prepare });
    const { api } = watching;
    await watching.ready();
    api.compact();
    api.onList(() => {});
    api.onWatch(() => {});
    api.disconnect();
    changeInTheGap(watching);
    api.compact();
    await watching.flow(() => watching.events.length > first.length, 90_000);
    await watching.converged();
    expect(watching.check()).toEqual([]);
  });

  test('fault 4: the server ends every watch after its 8 to 12 s, and that is no failure', async () => {
    await using watching = await startWatching({ prepare });
    const { api } = watching;
    await watching.ready();
    await watching.flow(() => api.count('watch') === 10, 90_000);
    await watching.converged();
    expect(watching.watchState()).toMatchObject({ restarts: 0, error: null });
    expect(api.count('list')).toBe(1);
    expect(watching.cluster.freshness.state).toBe('FRESH');
  });

  test('fault 5: the end in the middle of a line: the event comes again, whole', async () => {
    await using watching = await startWatching({ prepare });
    const { api } = watching;
    await watching.ready();
    const [open] = api.openWatches();
    open?.mute();
    const line = JSON.stringify({ type: 'MODIFIED', object: api.put('changed', 'half') });
    open?.exchange.write(line.slice(0, line.length / 2));
    await nextTurn();
    open?.exchange.end();
    await watching.converged();
    expect(watching.events).toEqual([...first, 'MODIFIED changed uid-1 "half"']);
    expect(api.count('list')).toBe(1);
    expect(watching.check()).toEqual([]);
  });
});

function endOfConnection({ api }: Watching): void {
  // Without the last chunk.
  for (const { exchange } of api.openWatches()) exchange.response.socket?.end();
}

describe('what a stream carries', () => {
  test('fault 6: a line in many small pieces, cut inside of characters', async () => {
    await using watching = await startWatching({ prepare });
    const { api } = watching;
    await watching.ready();
    const [open] = api.openWatches();
    open?.mute();
    const bytes = Buffer.from(
      `${JSON.stringify({ type: 'MODIFIED', object: api.put('changed', 'ü€😀'.repeat(40)) })}\n`,
    );
    for (let start = 0; start < bytes.length; start += 3) {
      open?.exchange.write(bytes.subarray(start, start + 3));
      await nextTurn();
    }
    await until(() => watching.events.length === 4);
    expect(watching.events.at(-1)).toContain('ü€😀');
    open?.exchange.end();
    await watching.converged();
    expect(watching.check()).toEqual([]);
  });

  test('fault 6: a line of 5 MiB', async () => {
    await using watching = await startWatching({ prepare });
    await watching.ready();
    watching.api.put('changed', 'x'.repeat(5 * 1024 * 1024));
    await until(() => watching.events.length === 4);
    await watching.converged();
    expect(watching.api.count('watch')).toBe(1);
  });

  test('fault 7: line separators that are none for JSON (U+2028, U+2029)', async () => {
    await using watching = await startWatching({ prepare });
    await watching.ready();
    watching.api.put('changed', 'a\u2028b\u2029c\u0085d');
    await until(() => watching.events.length === 4);
    expect(watching.events.at(-1)).toBe('MODIFIED changed uid-1 "a\u2028b\u2029c\u0085d"');
    await watching.converged();
    expect(watching.api.count('watch')).toBe(1);
  });

  test.for([
    { what: 'a line that is no JSON', text: 'upstream connect error\n' },
    { what: 'a line that is no event', text: '{"type":"ADDED"}\n' },
    { what: 'an event without a name', text: '{"type":"ADDED","object":{"metadata":{}}}\n' },
    {
      what: 'an event of an unknown type',
      text: `{"type":"RENAMED","object":${JSON.stringify(fakeObject('x', 1))}}\n`,
    },
  ])('fault 8: $what ends the watch, and it goes on from there', async ({ text }) => {
    await using watching = await startWatching({ prepare });
    const { api } = watching;
    await watching.ready();
    for (const { exchange, mute } of api.openWatches()) {
      mute();
      exchange.write(text);
    }
    changeInTheGap(watching);
    await watching.converged();
    expect(watching.events).toEqual([...first, ...gap]);
    expect(api.count('list')).toBe(1);
    expect(watching.check()).toEqual([]);
  });

  test('fault 8: a load balancer that answers 200 with HTML never passes for the cluster', async () => {
    await using watching = await startWatching({ prepare });
    const { api } = watching;
    await watching.ready();
    api.always((exchange) => exchange.html(200));
    api.disconnect();
    changeInTheGap(watching);
    const before = api.requests.length;
    await watching.flow(() => watching.cluster.freshness.state === 'STALE', 5_100);
    const turns: string[] = [];
    watching.cluster.freshness.subscribe((state) => turns.push(state));
    await watching.pass(120_000);
    expect(turns).toEqual([]);
    expect(watching.watchState().error).toBe('the watch sent something else than events');
    expect(api.requests.length - before).toBeLessThan(30);
    api.always(null);
    await watching.converged(35_000);
    expect(watching.events).toEqual([...first, ...gap]);
    expect(watching.check()).toEqual([]);
  });
});
