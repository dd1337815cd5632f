// Makes `dist`: the JavaScript of `src`, and a package.json by which it is itself the package `slipway` (what modules of
// others import). Node runs TypeScript only outside of node_modules, and an image needs no compiler.
import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = join(root, 'dist');

rmSync(dist, { recursive: true, force: true });
const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
execFileSync(process.execPath, [tsc, '--project', join(root, 'tsconfig.build.json')], { stdio: 'inherit' });

const { name, version, license, engines, exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const built = Object.entries(exports).map(([path, source]) => [path, source.replace(/^\.\/src\/(.+)\.ts$/, './$1.js')]);
const manifest = { name, version, license, type: 'module', engines, exports: Object.fromEntries(built) };
writeFileSync(join(dist, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
