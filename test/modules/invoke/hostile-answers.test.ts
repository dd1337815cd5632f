import { hostileAnswersContract } from './hostile-answers-contract.ts';
import { embedded } from './surface.ts';

hostileAnswersContract(embedded);
