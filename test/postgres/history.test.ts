import { historyContract } from '../modules/invoke/history-contract.ts';
import { newDatabase } from './database.ts';

historyContract(newDatabase);
