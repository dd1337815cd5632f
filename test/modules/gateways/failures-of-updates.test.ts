import { operations } from './failures/cases.ts';
import { failuresOf } from './failures/suite.ts';

failuresOf(operations.filter(({ from, to }) => from && to));
