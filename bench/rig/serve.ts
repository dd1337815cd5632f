// Starts one of the servers that Slipway is compared with, for the service at an address.
import { serveBare } from './bare.ts';
import { serveLeast } from './least.ts';

const [, , which, origin = '', file = ''] = process.argv;
await (which === 'bare' ? serveBare(origin) : serveLeast(origin, file));
