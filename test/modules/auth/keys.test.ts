import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type BareServer, type SteppingClock, createSteppingClock, startBare } from './bare.ts';
import { type Issuer, type SigningKey, audience, createKey, startIssuer } from './issuer.ts';
import { bearer, send } from './surface.ts';

const minute = 60_000;

let clock: SteppingClock;
let issuer: Issuer;
let server: BareServer | undefined;
beforeEach(async () => {
  clock = createSteppingClock();
  issuer = await startIssuer(() => clock.now());
});
afterEach(async () => {
  await server?.stop();
  server = undefined;
  await issuer.close();
});

/** Starts, and waits for the first look-up to have ended. */
async function start(settings: Record<string, unknown> = {}): Promise<void> {
  server = await startBare({ config: { issuer: issuer.url, audience: [audience], ...settings }, clock });
}
async function startAndFetch(settings: Record<string, unknown> = {}): Promise<void> {
  await start(settings);
  expect(await status()).toBe(200);
}
async function startAndFail(settings: Record<string, unknown> = {}): Promise<string> {
  await start(settings);
  return server?.lines.find((line) => line.includes('not fetched')) ?? failed();
}

const url = () => server?.url ?? '';
/** 200, 401 or 503 for a token signed by this key. */
const status = async (key: SigningKey = issuer.key, header: Record<string, unknown> = {}): Promise<number> =>
  (await send(url(), { headers: bearer(await issuer.sign({ exp: clock.now() / 1000 + 3600 }, header, key)) })).status;
const readiness = async () => {
  const { status, text } = await send(url(), { method: 'GET', path: '/readyz' });
  return [status, ...JSON.parse(text).reasons];
};
/** The next look-up at the provider has worked. */
const fetched = () => server?.logged("the identity provider's keys were fetched");
/** The next one has failed, and this is why. */
const failed = async (): Promise<string> =>
  (await server?.logged("the identity provider's keys were not fetched")) ?? '';
/** The next look-up is due. */
async function nextFetched(): Promise<void> {
  const done = fetched();
  clock.step();
  await done;
}
async function nextFailed(): Promise<string> {
  const done = failed();
  clock.step();
  return done;
}

describe('keys', () => {
  test('are found by the configuration of the issuer, or where the setting says', async () => {
    await startAndFetch();
    expect(issuer.requests).toEqual([issuer.discoveryPath, issuer.keysPath]);
    await server?.stop();
    await start({ jwksUri: issuer.url + issuer.keysPath });
    expect(await status()).toBe(200);
    expect(issuer.requests.slice(2)).toEqual([issuer.keysPath]);
  });

  test('a new key is taken 30 seconds after the last look-up, and no sooner', async () => {
    await startAndFetch();
    const next = await createKey();
    issuer.publish(issuer.key, next);
    clock.advance(29_999);
    expect([await status(next), issuer.fetches]).toEqual([401, 1]);
    clock.advance(1);
    expect([await status(next), issuer.fetches]).toEqual([200, 2]);
    expect(await status()).toBe(200);
  });

  test('a withdrawn key is refused as soon as the set was looked at again', async () => {
    await startAndFetch();
    const next = await createKey();
    issuer.publish(next);
    await nextFetched();
    expect([await status(), await status(next)]).toEqual([401, 200]);
  });

  test('1,200 tokens with made-up key ids in a minute cost three look-ups at most, and the good ones go on', async () => {
    await start();
    const stranger = await createKey();
    const good = await issuer.sign({ exp: clock.now() / 1000 + 3600 });
    const [head = '', payload = '', signature = ''] = (await issuer.sign({}, {}, stranger)).split('.');
    const header = JSON.parse(Buffer.from(head, 'base64url').toString());
    for (let second = 0; second < 60; second++) {
      const flood = Array.from({ length: 20 }, (_, at) => {
        const kid = Buffer.from(JSON.stringify({ ...header, kid: `${second}-${at}` })).toString('base64url');
        return send(url(), { headers: bearer(`${kid}.${payload}.${signature}`) });
      });
      const answers = await Promise.all(flood);
      expect(new Set(answers.map((answer) => answer.status))).toEqual(new Set([401]));
      expect((await send(url(), { headers: bearer(good) })).status).toBe(200);
      clock.advance(1000);
    }
    expect(issuer.fetches).toBeLessThanOrEqual(3);
  });

  test('of those who ask at the same time, all wait for one look-up', async () => {
    await startAndFetch();
    const next = await createKey();
    issuer.publish(next);
    clock.advance(30_000);
    const answers = await Promise.all(Array.from({ length: 20 }, () => status(next)));
    expect([new Set(answers), issuer.fetches]).toEqual([new Set([200]), 2]);
  });
});

describe('an identity provider that is away', () => {
  test('at the start: not ready with the reason, nobody signed in, and all is well once it is back', async () => {
    await issuer.close();
    await startAndFail();
    expect(await readiness()).toEqual([503, "auth: The identity provider's configuration can not be fetched."]);
    const refused = await send(url(), { headers: bearer(await issuer.sign()) });
    expect([refused.status, refused.code]).toEqual([503, 'UNAVAILABLE']);
    expect((await send(url())).status).toBe(401);
    expect((await send(url(), { method: 'GET', path: '/livez' })).status).toBe(200);
    await issuer.listen();
    await nextFetched();
    expect([await status(), await readiness()]).toEqual([200, [200]]);
  });

  test('later: the keys that are known serve for at least nine minutes, and not for ever', async () => {
    await startAndFetch();
    await nextFetched();
    await issuer.close();
    // The worst moment to go: just before the next look-up.
    clock.advance(minute - 1);
    const away = clock.now();
    while (clock.now() + clock.wait - away < 9 * minute) {
      await nextFailed();
      expect([await status(), await readiness()]).toEqual([200, [200]]);
    }
    while (clock.now() - away < 10 * minute) await nextFailed();
    expect([await status(), (await readiness())[0]]).toEqual([503, 503]);
    await issuer.listen();
    await nextFetched();
    expect([await status(), await readiness()]).toEqual([200, [200]]);
  });

  test('is asked ever less often, and never in a busy loop', async () => {
    await issuer.close();
    await startAndFail();
    const waits: number[] = [];
    for (let at = 0; at < 8; at++) {
      waits.push(clock.wait);
      await nextFailed();
    }
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(800);
    expect(waits.at(-1)).toBeGreaterThanOrEqual(15_000);
  });
});

describe('a key set that is no good', () => {
  test.each<[string, Parameters<Issuer['answer']>[1], string]>([
    ['an error', (_, response) => void response.writeHead(500).end('secret'), 'the answer was 500'],
    ['a redirect', (_, response) => void response.writeHead(302, { location: '/elsewhere' }).end(), 'is a redirect'],
    ['HTML', (_, response) => void response.writeHead(200).end('<html>secret</html>'), 'is not JSON'],
    ['nothing', (_, response) => void response.writeHead(200).end(), 'is not JSON'],
    ['JSON that is no set', (_, response) => void response.writeHead(200).end('[]'), 'has no key'],
    ['no keys', (_, response) => void response.writeHead(200).end('{"keys":[]}'), 'has no key'],
    [
      'shared secrets only',
      (_, response) => void response.writeHead(200).end('{"keys":[{"kty":"oct","k":"c2VjcmV0","kid":"a"}]}'),
      'has no key',
    ],
    [
      'ten thousand keys',
      (_, response) => void response.writeHead(200).end(JSON.stringify({ keys: Array(10_000).fill({ kty: 'RSA' }) })),
      'more than 100 keys',
    ],
    [
      '100 MiB',
      (_, response) => {
        response.writeHead(200);
        const chunk = Buffer.alloc(1_048_576, ' ');
        for (let at = 0; at < 100; at++) response.write(chunk);
        response.end();
      },
      'is larger than 1048576 bytes',
    ],
    [
      'something compressed',
      (_, response) => void response.writeHead(200, { 'content-encoding': 'gzip' }).end('x'),
      'came compressed',
    ],
    ['a broken connection', (request) => void request.socket.destroy(), 'can not be fetched'],
  ])('%s: not ready with the reason, and no crash', async (_, answer, reason) => {
    issuer.answer(issuer.keysPath, answer);
    expect(await startAndFail()).toContain(reason);
    const [code, text] = await readiness();
    expect([code, text.includes(reason), text.includes('secret')]).toEqual([503, true, false]);
    expect(issuer.requests.filter((path) => path === '/elsewhere')).toEqual([]);
    expect(await status()).toBe(503);
    issuer.answer(issuer.keysPath, null);
    await nextFetched();
    expect([await status(), await readiness()]).toEqual([200, [200]]);
  });

  test.each(['before its answer', 'in the middle of it'])(
    'one that stops %s is given up after five seconds',
    async (when) => {
      issuer.answer(issuer.keysPath, (_, response) => {
        if (when !== 'before its answer') response.writeHead(200).write('{"keys":');
      });
      const asked = issuer.asked(issuer.keysPath);
      await start();
      await asked;
      const failure = failed();
      clock.advance(5_000);
      expect(await failure).toContain('did not come in time');
      expect(await status()).toBe(503);
    },
  );

  test.each<[string, (url: string) => unknown, string]>([
    ['of another issuer', (url) => ({ issuer: `${url}/other`, jwks_uri: `${url}/keys` }), 'that of another issuer'],
    ['without keys', (url) => ({ issuer: url }), 'does not say where'],
    ['with keys elsewhere in plain text', (url) => ({ issuer: url, jwks_uri: 'http://idp.example/keys' }), 'not https'],
    ['with keys in a file', (url) => ({ issuer: url, jwks_uri: 'file:///etc/passwd' }), 'not https'],
    ['that is no object', () => null, 'that of another issuer'],
  ])('a configuration %s is not followed', async (_, document, reason) => {
    issuer.answer(issuer.discoveryPath, (_, response) => void response.end(JSON.stringify(document(issuer.url))));
    expect(await startAndFail()).toContain(reason);
    expect([await status(), issuer.fetches]).toEqual([503, 0]);
  });

  test('a faulty set does not take away the keys that are known', async () => {
    await startAndFetch();
    issuer.answer(issuer.keysPath, (_, response) => void response.end('{"keys":[]}'));
    await nextFailed();
    expect([await status(), await readiness()]).toEqual([200, [200]]);
  });

  test('a private key that was published by mistake makes nothing worse', async () => {
    const { jwk } = await createKey('ES256', 'leaked');
    issuer.publish(issuer.key, { ...issuer.key, jwk: { ...jwk, d: 'c2VjcmV0' } });
    await start();
    expect(await status()).toBe(200);
  });
});
