// `npm run bench` runs every bench of this folder, `npm run bench gap stream` only those, each in a process of its own,
// and writes bench/RESULTS.md. BENCH_SCALE=0.1 makes all of them that much smaller.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { cpus, loadavg, totalmem } from 'node:os';
import type { Figure } from './rig/figures.ts';

const results = new URL('RESULTS.md', import.meta.url);
const wanted = process.argv.slice(2);
const present = (await readdir(new URL('.', import.meta.url)))
  .filter((file) => file.endsWith('.ts') && file !== 'index.ts')
  .map((file) => file.slice(0, -'.ts'.length))
  .sort();
const unknown = wanted.filter((name) => !present.includes(name));
if (unknown.length > 0) throw new Error(`There is no bench ${unknown.join(', ')}, but ${present.join(', ')}.`);

async function run(name: string): Promise<Figure[]> {
  const child = fork(new URL(`${name}.ts`, import.meta.url), { execArgv: process.execArgv });
  const figures: Figure[] = [];
  child.on('message', (some: Figure[]) => figures.push(...some));
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`bench ${name} ended with ${code}`);
  return figures;
}

function section(name: string, figures: readonly Figure[]): string {
  const [cpu] = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  const machine = `${cpus().length} × ${cpu?.model.trim() ?? 'CPU'}, ${memory} GiB, Node ${process.versions.node}`;
  const load = loadavg()
    .map((value) => value.toFixed(1))
    .join(', ');
  const scale = process.env['BENCH_SCALE'] ? `; scale ${process.env['BENCH_SCALE']}` : '';
  const rows = figures.map(
    ({ what, ours, comparedWith = '', ratio = '' }) =>
      `| ${what} | ${ours} | ${comparedWith} | ${ratio} | ${machine} |`,
  );
  return [
    `## ${name}`,
    '',
    `\`npm run bench ${name}\`, ${new Date().toISOString().slice(0, 10)}; load of the machine (1, 5, 15 min): ${load}${scale}`,
    '',
    '| what | ours | compared with | ratio | machine |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
    '',
  ].join('\n');
}

/** Sections of benches that were not run stay as they are. */
async function write(fresh: ReadonlyMap<string, string>): Promise<void> {
  const text = await readFile(results, 'utf8').catch(() => '');
  const kept = text.split(/^(?=## )/m).slice(1);
  const sections = new Map(kept.map((part) => [/^## (\S+)/.exec(part)?.[1] ?? '', `${part.trimEnd()}\n`]));
  for (const [name, part] of fresh) sections.set(name, part);
  const head =
    '# Benchmarks\n\nWritten by `npm run bench`. Times depend on what else the machine does: see its load.\n';
  const sorted = [...sections].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, part]) => part);
  await writeFile(results, [head, ...sorted].join('\n'));
}

for (const name of wanted.length > 0 ? wanted : present) await write(new Map([[name, section(name, await run(name))]]));
