import type { Column, Draft } from '../definition.ts';
import { isObject, type Json, type JsonObject } from '../json.ts';

/** Cells and columns that several kinds share, printed as kubectl users know them. */

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

/** An age in at most two units: `47s`, `3m10s`, `5h`, `2d4h`, as `duration.HumanDuration` of Kubernetes prints it. */
export function humanDuration(ms: number): string {
  if (ms < -second) return '<invalid>';
  if (ms < 0) return '0s';
  const whole = (unit: number) => Math.floor(ms / unit);
  if (ms < 2 * minute) return `${whole(second)}s`;
  const two = (large: number, largeName: string, small: number, smallName: string) => {
    const rest = Math.floor((ms % large) / small);
    return rest === 0 ? `${whole(large)}${largeName}` : `${whole(large)}${largeName}${rest}${smallName}`;
  };
  if (ms < 10 * minute) return two(minute, 'm', second, 's');
  if (ms < 3 * hour) return `${whole(minute)}m`;
  if (ms < 8 * hour) return two(hour, 'h', minute, 'm');
  if (ms < 2 * day) return `${whole(hour)}h`;
  if (ms < 8 * day) return two(day, 'd', hour, 'h');
  if (ms < 2 * 365 * day) return `${whole(day)}d`;
  const years = Math.floor(ms / (365 * day));
  const days = Math.floor((ms % (365 * day)) / day);
  return ms < 8 * 365 * day && days > 0 ? `${years}y${days}d` : `${years}y`;
}

export function age(time: string | null | undefined, now: number): string {
  const then = time ? Date.parse(time) : Number.NaN;
  return Number.isNaN(then) ? '<unknown>' : humanDuration(now - then);
}

export const nameColumn: Column = {
  name: 'Name',
  type: 'string',
  format: 'name',
  description: 'Name must be unique within a namespace.',
  cell: (object) => object.metadata.name,
};

export const ageColumn: Column = {
  name: 'Age',
  type: 'string',
  description: 'How long ago the object was created.',
  cell: (object, now) => age(object.metadata.creationTimestamp, now),
};

/** Custom resources state their age as a date, and show the same. */
export const creationColumn: Column = { ...ageColumn, type: 'date' };

export function textColumn(
  name: string,
  description: string,
  cell: (object: Draft) => string,
  priority: 0 | 1 = 0,
): Column {
  return { name, type: 'string', priority, description, cell };
}

export function countColumn(name: string, description: string, cell: (object: Draft) => number): Column {
  return { name, type: 'integer', description, cell };
}

export function specOf(object: Draft): JsonObject {
  return isObject(object.spec) ? object.spec : {};
}

export function statusOfObject(object: Draft): JsonObject {
  return isObject(object.status) ? object.status : {};
}

/** A field as text; empty when it is none. */
export function textOf(value: Json | undefined): string {
  return typeof value === 'string' ? value : '';
}

export function joined(record: Record<string, string> | undefined): string {
  const text = Object.entries(record ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
  return text || '<none>';
}
