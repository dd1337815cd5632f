import { once } from 'node:events';
import { type AddressInfo, type Socket, connect, createServer } from 'node:net';
import { deadDatabaseContract } from '../modules/invoke/dead-database-contract.ts';
import { newDatabase } from './database.ts';

/** A wire to the database that can be made silent: nothing arrives, nothing is refused, nothing ends. */
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
  url.port = String((wire.address() as AddressInfo).port);
  const set = (state: boolean) => {
    silent = state;
    for (const socket of [...pairs].flat())
      if (silent) socket.pause();
      else socket.resume();
    return Promise.resolve();
  };
  return {
    url: url.href,
    hang: () => set(true),
    heal: () => set(false),
    async [Symbol.asyncDispose]() {
      for (const socket of [...pairs].flat()) socket.destroy();
      wire.close();
      await once(wire, 'close');
    },
  };
});
