import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const folder = new URL('../../../src/modules/gateways/', import.meta.url);
const sources = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts') && !file.startsWith('schema'))
  .map((file) => readFileSync(new URL(file, folder), 'utf8'));
const page = readFileSync(new URL('../../../docs/gateways.md', import.meta.url), 'utf8');

/** Words with an underscore that are codes or kinds, no reasons. */
const others = ['API_KEY', 'NOT_FOUND', 'NOT_SUPPORTED'];

test('docs/gateways.md explains every reason and notice', () => {
  const words = sources.flatMap((source) =>
    [...source.matchAll(/'([A-Z]+(?:_[A-Z]+)+)'/g)].map(([, word]) => word ?? ''),
  );
  const unexplained = [...new Set(words)].filter((word) => !others.includes(word) && !page.includes(`\`${word}\``));
  expect(words.length).toBeGreaterThan(100);
  expect(unexplained).toEqual([]);
});

test('and none that is not there', () => {
  const code = sources.join('\n');
  const told = [...page.matchAll(/`([A-Z]+(?:_[A-Z]+)+)`/g)].map(([, word]) => word ?? '');
  expect(told.filter((word) => !others.includes(word) && !code.includes(`'${word}'`))).toEqual([]);
});
