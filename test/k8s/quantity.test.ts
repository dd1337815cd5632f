import { expect, test } from 'vitest';
import { parseQuantity } from '../../src/k8s/quantity.ts';

test.each([
  ['250m', 0.25],
  ['2', 2],
  ['1.5Gi', 1.5 * 1024 ** 3],
  ['5M', 5e6],
  ['1e3', 1000],
  ['12E', 12e18],
  ['Gi', Number.NaN],
  ['-1', -1],
  ['1 Gi', Number.NaN],
])('quantity %s is %s', (text, value) => {
  expect(parseQuantity(text)).toBe(value);
});
