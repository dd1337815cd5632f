import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { historyContract } from './history-contract.ts';
import { oneCallContract } from './one-call-contract.ts';
import { replayContract } from './replay-contract.ts';

const newFile = async () => `sqlite:${join(await mkdtemp(join(tmpdir(), 'slipway-history-')), 'history.db')}`;

historyContract(newFile);
oneCallContract(newFile);
replayContract(newFile);
