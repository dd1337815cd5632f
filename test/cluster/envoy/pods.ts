import { createServer } from 'node:http';
import { echo } from './echo.ts';

/** What runs in all Pods at once; each is known by its address. */
const port = Number(process.argv[2]);
createServer(echo((address) => address ?? '')).listen(port, '0.0.0.0');
