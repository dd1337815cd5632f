import { type ExecutionResult, GraphQLError } from 'graphql';
import type { Clock } from '../../clock.ts';
import { type ErrorCode, errorCodes } from '../../errors.ts';
import type { OperationObserver } from '../../module.ts';
import { slipwayErrorIn } from '../../server/errors.ts';
import type { Metrics } from './service.ts';

/** Seconds. */
const buckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const types = ['query', 'mutation', 'subscription', 'refused'];
const codes = ['OK', ...Object.keys(errorCodes)];

/**
 * Counts and times GraphQL operations by type and outcome, whatever the transport. What does not come to be carried out
 * (not parsed, not valid) is of the type `refused`.
 */
export function countOperations(metrics: Metrics, clock: Clock): OperationObserver {
  const count = metrics.counter({
    name: 'slipway_graphql_operations_total',
    help: 'GraphQL operations by type and by the code of the first error; a subscription counts when it is opened.',
    labels: { type: types, code: codes },
  });
  const time = metrics.histogram({
    name: 'slipway_graphql_operation_duration_seconds',
    help: 'How long queries and mutations take, and subscriptions to open.',
    labels: { type: types, outcome: ['ok', 'error'] },
    buckets,
  });
  let open = 0;
  metrics.read(
    'gauge',
    { name: 'slipway_graphql_subscriptions', help: 'Subscriptions of any kind that are open.' },
    () => [{ labels: {}, value: open }],
  );
  return {
    refused: (error) => count({ type: 'refused', code: codeOf(error) }),
    begin(type) {
      const startedAt = clock.now();
      return (result) => {
        const code = outcomeOf(result);
        count({ type, code });
        time({ type, outcome: code === 'OK' ? 'ok' : 'error' }, (clock.now() - startedAt) / 1000);
      };
    },
    opened() {
      open += 1;
      return () => void (open -= 1);
    },
  };
}

function outcomeOf({ errors }: ExecutionResult): string {
  const error = errors?.[0];
  return error === undefined ? 'OK' : codeOf(error);
}

/** What the error will be called once it is presented. */
function codeOf(error: unknown): ErrorCode {
  const ours = slipwayErrorIn(error);
  if (ours) return ours.code;
  if (!(error instanceof GraphQLError)) return 'INTERNAL';
  const { code } = error.extensions;
  if (typeof code === 'string' && code in errorCodes) return code as ErrorCode;
  return error.originalError ? 'INTERNAL' : 'INVALID';
}
