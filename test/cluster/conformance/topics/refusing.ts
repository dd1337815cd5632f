import { expect } from 'vitest';
import type { Resource } from '../../../../src/k8s/resources.ts';
import type { World } from '../suite.ts';

export type Spec = Record<string, unknown>;
/** What is wrong, the spec, and each cause as `field: message`. */
export type Refused = readonly [sentence: string, spec: Spec, ...causes: string[]];

/** After errors that could mislead them, rules are not looked at, and the server says so. */
export const unchecked =
  '<nil>: Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation';

/** What the schemas take for a duration. */
export const durationPattern = "'^([0-9]{1,5}(h|m|s|ms)){1,4}$'";

export async function refuses(world: World, resource: Resource, body: object, causes: readonly string[]) {
  const { code, reason, details } = (await world.api.post(world.path(resource), body)).failure;
  expect({ code, reason }).toEqual({ code: 422, reason: 'Invalid' });
  expect(details?.causes?.map(({ field, message }) => `${field}: ${message}`).toSorted()).toEqual(causes.toSorted());
}

export async function accepts(world: World, resource: Resource, body: object): Promise<void> {
  expect((await world.api.post(world.path(resource), body)).code).toBe(201);
}
