import { describe, expect, test } from 'vitest';
import { isLabelKey, isLabelValue, matchesSelector, parseLabelSelector } from '../../src/k8s/selectors.ts';

const labels = { app: 'web', tier: 'front', empty: '', size: '10', 'example.com/x': 'y' };

describe('a label selector as text', () => {
  test.for<[string, boolean]>([
    ['', true],
    ['app=web', true],
    ['app==web,tier!=back', true],
    ['app = web , tier in ( front , back )', true],
    ['app in (api)', false],
    ['app notin (api,web)', false],
    ['other notin (a)', true],
    ['other!=a', true],
    ['app', true],
    ['other', false],
    ['!other', true],
    ['! app', false],
    ['size>9', true],
    ['size<9', false],
    ['app>1', false],
    ['empty=', true],
    ['empty in (,a)', true],
    ['app in ()', false],
    ['example.com/x=y', true],
    ['constructor', false],
  ])('%j: %s', ([text, expected]) => {
    expect(matchesSelector(parseLabelSelector(text), labels)).toBe(expected);
  });

  test.for([
    'app=web,',
    ',app',
    'app in web',
    'app in (web',
    'app in (a b)',
    '=web',
    '!',
    'app=a=b',
    'app web',
    'size>x',
    '-app',
    'app=-x',
    'a/b/c',
    'a'.repeat(64),
    `app=${'a'.repeat(64)}`,
    'a'.repeat(5000),
    'app in (=)',
  ])('%j is INVALID on its field', (text) => {
    expect(() => parseLabelSelector(text, 'filter.labels')).toThrow(
      expect.objectContaining({ code: 'INVALID', field: 'filter.labels' }),
    );
  });
});

describe('a label selector as an object', () => {
  test('all of its conditions must hold; an empty one matches everything, none matches nothing', () => {
    const matchExpressions = [
      { key: 'tier', operator: 'In' as const, values: ['front'] },
      { key: 'other', operator: 'DoesNotExist' as const },
    ];
    expect(matchesSelector({ matchLabels: { app: 'web' }, matchExpressions }, labels)).toBe(true);
    expect(matchesSelector({ matchLabels: { app: 'api' }, matchExpressions }, labels)).toBe(false);
    expect(matchesSelector({ matchLabels: { app: 'web' } }, undefined)).toBe(false);
    expect(matchesSelector({}, labels)).toBe(true);
    expect(matchesSelector(null, labels)).toBe(false);
    expect(matchesSelector(undefined, labels)).toBe(false);
  });
});

test('keys and values by the rules of Kubernetes', () => {
  expect(['a', 'A.b_c-d', 'example.com/a', 'x-y.z/a'].every(isLabelKey)).toBe(true);
  expect(['', 'a/', '/a', 'Example.com/a', 'a_b/c', '.a', 'a-', 'a b', 'ä'].some(isLabelKey)).toBe(false);
  expect(['', 'a', 'A.b_c-d', '1'].every(isLabelValue)).toBe(true);
  expect(['-', 'a-', 'a b', 'a/b', 'ä', 'a'.repeat(64)].some(isLabelValue)).toBe(false);
});
