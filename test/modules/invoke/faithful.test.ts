import { faithfulContract } from './faithful-contract.ts';
import { embedded } from './surface.ts';

faithfulContract(embedded);
