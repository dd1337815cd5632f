import { once } from 'node:events';
import { type AddressInfo, type Socket, connect, createServer } from 'node:net';
import { deadDatabaseContract } from '../modules/invoke/dead-database-contract.ts';
import { newDatabase } from './database.ts';

/** A wire to the database that can be made silent (nothing arrives, nothing is refused, nothing ends), or cut. */
deadDatabaseContract(async () => {
  const direct = new URL(await newDatabase());
  const pairs = new Set<[Socket, Socket]>();
  let silent = false;
  const wire = createServer((socket) => {
    const server = connect(Number(direct.port), direct.hostname);
    const pair: [Socket, Socket] = [socket, server];
    pairs.add(pair);
    for (const [from, to] of [pair, pair.toReversed() as [Socket, Socket]]) {
      from.on('data', (chunk) => to.write(chunk));
      from.on('error', () => to.destroy()).on('close', () => to.destroy());
      if (silent) from.pause();
    }
  });
  wire.listen(0, '127.0.0.1');
  await once(wire, 'listening');
  const url = new URL(direct);
  const { port } = wire.address() as AddressInfo;
  url.port = String(port);
  const set = (state: boolean) => {
    silent = state;
    for (const socket of [...pairs].flat())
      if (silent) socket.pause();
      else socket.resume();
    return Promise.resolve();
  };
  const cut = async () => {
    for (const socket of [...pairs].flat()) socket.destroy();
    pairs.clear();
    wire.close();
    await once(wire, 'close');
  };
  return {
    url: url.href,
    hang: () => set(true),
    cut,
    async heal() {
      if (!wire.listening) await once(wire.listen(port, '127.0.0.1'), 'listening');
      await set(false);
    },
    [Symbol.asyncDispose]: cut,
  };
});
