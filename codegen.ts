import { readFile, writeFile } from 'node:fs/promises';
import { renderConfigTables } from './src/commands/config-tables.ts';
import { builtinModules } from './src/modules/index.ts';
import { buildSchema, printSdl } from './src/schema/build.ts';

// Renders what is generated from the modules. `--check` compares instead of writing and fails on a difference.

const check = process.argv.includes('--check');

/** Puts `text` between the markers `<!-- begin NAME -->` and `<!-- end NAME -->`. */
function between(document: string, name: string, text: string): string {
  const [begin, end] = [`<!-- begin ${name} -->`, `<!-- end ${name} -->`];
  const [from, to] = [document.indexOf(begin), document.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`The markers of "${name}" are missing.`);
  return `${document.slice(0, from + begin.length)}\n${text}\n${document.slice(to)}`;
}

async function render(file: string, make: (present: string) => string): Promise<boolean> {
  const path = new URL(file, import.meta.url);
  const present = await readFile(path, 'utf8').catch(() => '');
  const text = make(present);
  if (text === present) return true;
  if (!check) await writeFile(path, text);
  process.stdout.write(`${file}: ${check ? 'is not what the code gives; run `npm run codegen`' : 'written'}\n`);
  return !check;
}

const results = [
  await render('src/schema/schema.graphql', () => printSdl(buildSchema(builtinModules))),
  await render('docs/configuration.md', (present) => between(present, 'settings', renderConfigTables(builtinModules))),
];
if (results.includes(false)) process.exitCode = 1;
