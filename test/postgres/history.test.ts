import { historyContract } from '../modules/invoke/history-contract.ts';
import { oneCallContract } from '../modules/invoke/one-call-contract.ts';
import { replayContract } from '../modules/invoke/replay-contract.ts';
import { newDatabase } from './database.ts';

historyContract(newDatabase);
oneCallContract(newDatabase);
replayContract(newDatabase);
