/**
 * The tables of the history, one element for each version. Never change an element that was released: add one. Texts
 * that may hold a NUL, which PostgreSQL does not take, are stored as JSON.
 */
export const historyTables: readonly string[] = [
  `CREATE TABLE IF NOT EXISTS invocations (
     id TEXT PRIMARY KEY,
     caller TEXT NOT NULL,
     service_run_id TEXT NOT NULL,
     run_id TEXT NOT NULL,
     started_at BIGINT NOT NULL,
     outcome TEXT NOT NULL,
     error_code TEXT,
     message TEXT,
     recorded INTEGER NOT NULL,
     method TEXT NOT NULL,
     url TEXT NOT NULL,
     request TEXT NOT NULL,
     response TEXT,
     timings TEXT NOT NULL,
     request_body TEXT,
     response_body TEXT
   );
   CREATE INDEX IF NOT EXISTS invocations_by_caller ON invocations (caller, started_at, id);
   CREATE INDEX IF NOT EXISTS invocations_by_run ON invocations (caller, service_run_id, started_at, id);
   CREATE INDEX IF NOT EXISTS invocations_by_time ON invocations (started_at);
   CREATE TABLE IF NOT EXISTS invocation_keys (
     caller TEXT NOT NULL,
     mutation TEXT NOT NULL,
     idempotency_key TEXT NOT NULL,
     input_hash TEXT NOT NULL,
     invocation_id TEXT NOT NULL,
     created_at BIGINT NOT NULL,
     PRIMARY KEY (caller, mutation, idempotency_key)
   );`,
];
