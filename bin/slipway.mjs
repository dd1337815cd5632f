#!/usr/bin/env -S node --disable-warning=ExperimentalWarning --max-semi-space-size=8
import { enableCompileCache } from 'node:module';

// Half of the usual nursery, in `npm start` too: less memory with many runs, for hardly any CPU. It can only be chosen before Node starts.

// Most of the start is compiling: what was compiled before is taken from the system's temporary folder.
enableCompileCache();
await import('../src/main.ts');
