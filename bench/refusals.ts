// Whether who is refused learns from the answer, or from how long it takes, what there is at an address that is not the
// service's: something that listens, nothing that does, or no host at all.
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { type Figure, ms, quantile, report, round, scaled } from './rig/figures.ts';
import { address, play } from './rig/played.ts';
import { startBenchServer } from './rig/server.ts';

const times = scaled(500);
const call = 'mutation ($input: InvokeServiceInput!) { invokeService(input: $input) { invocation { outcome } } }';

export async function benchRefusals(): Promise<Figure[]> {
  const service = createHttpServer((_, response) => response.end('yes')).listen(0, address);
  let touched = 0;
  const stranger = createServer((socket) => {
    touched += 1;
    socket.destroy();
  }).listen(0, address);
  await Promise.all([once(service, 'listening'), once(stranger, 'listening')]);
  const portOf = (server: typeof stranger) => (server.address() as AddressInfo).port;
  await using server = await startBenchServer();
  const id = await play(server, portOf(service));

  const places = {
    'an open port': `http://${address}:${portOf(stranger)}/`,
    'a closed port': `http://${address}:1/`,
    'an address without a host': 'http://192.0.2.1/',
    'a name without a host': 'http://nothing.example/',
  };
  const answers = new Set<string>();
  async function refusal(url: string): Promise<number> {
    const began = performance.now();
    const answer = await fetch(server.graphql, {
      ...{ method: 'POST', headers: { 'content-type': 'application/json' } },
      body: JSON.stringify({ query: call, variables: { input: { id, url } } }),
    });
    const text = await answer.text();
    const took = performance.now() - began;
    if (!text.includes('TARGET_NOT_ALLOWED')) throw new Error(text);
    answers.add(text);
    return took;
  }

  const taken = Object.entries(places).map(([what, url]) => ({ what, url, all: [] as number[] }));
  // In turn, so that what else the machine does is in each of them alike.
  for (let n = 0; n < times; n++) for (const { url, all } of taken) all.push(await refusal(url));
  service.close();
  service.closeAllConnections();
  stranger.close();
  const medians = taken.map(({ all }) => quantile(all, 0.5));
  return [
    ...taken.map(({ what, all }) => ({
      what: `refusal of ${what}, ${times} times`,
      ours: `median ${ms(quantile(all, 0.5))}, p99 ${ms(quantile(all, 0.99))}`,
    })),
    {
      what: 'greatest difference of these medians',
      ours: `${round(Math.max(...medians) - Math.min(...medians), 2)} ms`,
      comparedWith: 'allowed: 10 ms',
    },
    { what: 'different answers', ours: `${answers.size}`, comparedWith: 'allowed: 1' },
    { what: 'connections to the open port', ours: `${touched}`, comparedWith: 'allowed: 0' },
  ];
}

if (import.meta.main) report(await benchRefusals());
