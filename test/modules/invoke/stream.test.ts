import { streamContract } from './stream-contract.ts';
import { embedded } from './surface.ts';

streamContract(embedded);
