#!/usr/bin/env -S node --disable-warning=ExperimentalWarning
import { enableCompileCache } from 'node:module';

// Most of the start is compiling: what was compiled before is taken from the system's temporary folder.
enableCompileCache();
await import('../src/main.ts');
