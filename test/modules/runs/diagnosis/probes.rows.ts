import * as make from '../objects.ts';
import { warning } from '../objects.ts';
import { type Row, ended, oneUnready } from './scenes.ts';

export const rows: Row[] = [
  [
    'a container that its liveness probe ends',
    'LIVENESS_FAILING',
    'DEGRADED',
    'ERROR',
    {
      ...oneUnready({ age: 300, container: { restartCount: 2, lastState: ended(137), ready: false } }),
      events: [warning('Unhealthy', 'Liveness probe failed: HTTP probe failed with statuscode: 500')],
    },
    /liveness probe failed: Liveness probe failed: HTTP probe failed with statuscode: 500/,
    /right path and port/,
  ],
  [
    'a startup probe that has not passed',
    'STARTUP_FAILING',
    'PROGRESSING',
    'PENDING',
    {
      ...oneUnready({ age: 20, spec: { startupProbe: make.probe }, container: { ready: false, started: false } }),
      events: [warning('Unhealthy', 'Startup probe failed: connection refused')],
    },
    /has not passed its startup probe \(GET \/health on port 8080\) yet: connection refused/,
    /Wait/,
  ],
  [
    'a readiness probe that fails while the program starts',
    'READINESS_FAILING',
    'PROGRESSING',
    'PENDING',
    {
      ...oneUnready({ age: 10 }),
      events: [warning('Unhealthy', 'Readiness probe failed: dial tcp 10.0.0.7:8080: connect: connection refused')],
    },
    /runs but has not passed its readiness probe \(GET \/health on port 8080\): dial tcp/,
    /on all addresses, not on localhost only/,
  ],
  [
    'a readiness probe that fails for long',
    'READINESS_FAILING',
    'DEGRADED',
    'ERROR',
    {
      ...oneUnready({ age: 300 }),
      events: [warning('Unhealthy', 'Readiness probe failed: HTTP probe failed with statuscode: 404')],
    },
    /statuscode: 404/,
    /not at \/health: correct the readiness path/,
  ],
  [
    'a Pod that is no longer ready',
    'READINESS_FAILING',
    'DEGRADED',
    'ERROR',
    {
      ...oneUnready({ age: 1800, readySince: 12 }),
      events: [warning('Unhealthy', 'Readiness probe failed: HTTP probe failed with statuscode: 503')],
    },
    /no longer passes its readiness probe/,
    /answers with an error/,
  ],
  [
    'a program that listens on the wrong address',
    'READINESS_FAILING',
    'PROGRESSING',
    'PENDING',
    {
      ...oneUnready({ age: 10 }),
      events: [
        warning('Unhealthy', 'Readiness probe failed: connection refused', { at: 1 }),
        warning('WrongAddress', 'Container main: listens on 127.0.0.1:8080, not on $(HOST)=127.64.0.3', { at: 3 }),
      ],
    },
    /listens on 127\.0\.0\.1:8080/,
    /\$HOST and \$PORT/,
  ],
  [
    'a container that its startup probe ends',
    'STARTUP_FAILING',
    'DEGRADED',
    'ERROR',
    {
      ...oneUnready({
        age: 300,
        spec: { startupProbe: make.probe },
        container: { restartCount: 1, lastState: ended(137) },
      }),
      events: [warning('Unhealthy', 'Startup probe failed: connection refused')],
    },
    /was ended because its startup probe failed/,
    /failureThreshold/,
  ],
  [
    'a startup probe of which nothing is heard yet',
    'STARTING',
    'PROGRESSING',
    'PENDING',
    oneUnready({ age: 80, spec: { startupProbe: make.probe }, container: { started: false } }),
    /has started and is not ready yet/,
    /Wait/,
  ],
  [
    'a startup probe whose time is over',
    'STARTUP_FAILING',
    'DEGRADED',
    'ERROR',
    oneUnready({ age: 200, spec: { startupProbe: make.probe }, container: { started: false } }),
    /has not passed its startup probe/,
    /path and port/,
  ],
  [
    'a liveness probe that begins to fail',
    'LIVENESS_FAILING',
    'DEGRADED',
    'RUNNING',
    {
      pods: [make.pod({ spec: { livenessProbe: make.probe } })],
      events: [warning('Unhealthy', 'Liveness probe failed: context deadline exceeded')],
    },
    /fails its liveness probe \(GET \/health on port 8080\): context deadline exceeded/,
    /will be restarted/,
  ],
  [
    'a readiness probe that waits longer than usual',
    'STARTING',
    'PROGRESSING',
    'PENDING',
    oneUnready({ age: 100, spec: { readinessProbe: { ...make.probe, initialDelaySeconds: 120 } } }),
    /is not ready yet/,
    /Wait/,
  ],
  [
    'a readiness probe that gets no answer in time',
    'READINESS_FAILING',
    'DEGRADED',
    'ERROR',
    {
      ...oneUnready({ age: 300 }),
      events: [
        warning('Unhealthy', 'Readiness probe failed: Get "http://10.0.0.7:8080/health": context deadline exceeded'),
      ],
    },
    /deadline exceeded/,
    /too slow/,
  ],
  [
    'a Pod that lost its readiness long after a restart',
    'READINESS_FAILING',
    'DEGRADED',
    'ERROR',
    oneUnready({
      age: 3000,
      readySince: 5,
      container: {
        restartCount: 1,
        lastState: ended(1, { at: 500 }),
        state: { running: { startedAt: make.ago(499) } },
      },
    }),
    /no longer passes its readiness probe/,
    /Read the logs/,
    ['READINESS_FAILING', 'CRASH_LOOP'],
  ],
];
