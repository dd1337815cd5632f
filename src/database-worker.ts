// The thread of one SQLite file: see database-sqlite.ts.
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import { createCheckpoints } from './database-checkpoints.ts';
import type { SqlValue, Statement } from './database.ts';

export type Task =
  | { kind: 'exec'; sql: string }
  | { kind: 'all'; sql: string; params: readonly SqlValue[] }
  /** Several statements are one transaction. */
  | { kind: 'batch'; statements: readonly Statement[] }
  | { kind: 'close' };
export type Job = { id: number } & Task;

export interface Answer {
  id: number;
  value?: unknown;
  error?: string;
}

const maxStatements = 200;

/** Pages that the log may have before its writer brings them into the file itself. */
const mostLogPages = 8_192;

const { file } = workerData as { file: string };
const database = new DatabaseSync(file);
// The first of them is what lets the second wait for another process.
database.exec('PRAGMA busy_timeout = 2000; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;');
database.exec(`PRAGMA wal_autocheckpoint = ${mostLogPages}`);
const written = createCheckpoints(file);
const prepared = new Map<string, StatementSync>();

function prepare(sql: string): StatementSync {
  const present = prepared.get(sql);
  if (present) return present;
  // Texts with a variable number of parameters must not fill the memory.
  if (prepared.size >= maxStatements) prepared.clear();
  const statement = database.prepare(sql);
  prepared.set(sql, statement);
  return statement;
}

function run({ sql, params }: Statement): number {
  const { changes } = prepare(sql).run(...(params as SQLInputValue[]));
  written(params);
  return Number(changes);
}

function transaction(statements: readonly Statement[]): number[] {
  database.exec('BEGIN IMMEDIATE');
  try {
    const changes = statements.map(run);
    database.exec('COMMIT');
    return changes;
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
}

function carryOut(job: Job): unknown {
  switch (job.kind) {
    case 'exec':
      return database.exec(job.sql);
    case 'all':
      return prepare(job.sql).all(...(job.params as SQLInputValue[]));
    case 'batch':
      return job.statements.length === 1 ? job.statements.map(run) : transaction(job.statements);
    case 'close':
      prepared.clear();
      return database.close();
  }
}

function answer(job: Job): Answer {
  try {
    return { id: job.id, value: carryOut(job) };
  } catch (error) {
    return { id: job.id, error: (error as Error).message };
  }
}

parentPort?.on('message', (jobs: readonly Job[]) => parentPort?.postMessage(jobs.map(answer)));
