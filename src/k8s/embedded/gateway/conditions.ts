import type { Condition } from '../../resources.ts';

/** The controller that a GatewayClass must name for the embedded gateway to serve its Gateways. */
export const controllerName = 'slipway.dev/gateway-controller';

export const gatewayGroup = 'gateway.networking.k8s.io';

/** A condition as computed; generation and time are added when it is written. */
export type Finding = Required<Pick<Condition, 'type' | 'status' | 'reason' | 'message'>>;

export function isTrue(type: string, reason: string, message: string): Finding {
  return { type, status: 'True', reason, message };
}

export function isFalse(type: string, reason: string, message: string): Finding {
  return { type, status: 'False', reason, message };
}

/** Something in an object that can't be carried out, with the reason word of its condition. */
export interface Problem {
  reason: string;
  message: string;
}

/** As Envoy Gateway writes an error into a condition: a capital letter, a full stop. */
export function sentence(message: string): string {
  const text = message.slice(0, 1).toUpperCase() + message.slice(1);
  return text.endsWith('.') ? text : `${text}.`;
}
