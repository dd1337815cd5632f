import type { Database, Row, SqlValue } from '../../database.ts';
import type { HealthStatus } from '../runs/service.ts';
import type { HealthTransition } from './service.ts';

/** A transition of the run with this uid; unique by (uid, at, to), so replicas may all write it. */
export interface RunTransition extends HealthTransition {
  uid: string;
}

export interface TransitionStore {
  add(transitions: readonly RunTransition[]): Promise<void>;
  /** The newest `last` of each run, newest last. */
  newest(uids: readonly string[], last: number): Promise<Map<string, HealthTransition[]>>;
  /** Forgets what is older, or more for one run; the newest of a run goes only once it is no longer `live`. */
  prune(bounds: { before: number; perRun: number; live: (uid: string) => boolean }): Promise<void>;
  close(): Promise<void>;
}

const schema = `
  CREATE TABLE IF NOT EXISTS health_transitions (
    run_uid TEXT NOT NULL,
    at BIGINT NOT NULL,
    to_health TEXT NOT NULL,
    from_health TEXT,
    message TEXT,
    position BIGINT NOT NULL,
    PRIMARY KEY (run_uid, at, to_health)
  );
  CREATE INDEX IF NOT EXISTS health_transitions_position ON health_transitions (run_uid, position);`;

const newestSql = (uids: number) => `
  SELECT run_uid, at, from_health, to_health, message FROM (
    SELECT t.*, ROW_NUMBER() OVER (PARTITION BY run_uid ORDER BY at DESC, position DESC) AS nth
    FROM health_transitions t WHERE run_uid IN (${marks(uids)})
  ) AS ranked WHERE nth <= ? ORDER BY at, position`;

const batchSize = 100;

/** Opens the store in a database, which it then owns. */
export async function openTransitions(database: Database, now: () => number): Promise<TransitionStore> {
  await database.exec(schema);
  // Several transitions of a run may bear the same time: Kubernetes' times are whole seconds.
  let position = 0;
  const nextPosition = () => {
    position = Math.max(position + 1, now() * 1000);
    return position;
  };

  return {
    async add(transitions) {
      for (const batch of batches(transitions)) {
        const values = batch.map(() => '(?, ?, ?, ?, ?, ?)').join(', ');
        const columns = 'run_uid, at, to_health, from_health, message, position';
        const sql = `INSERT INTO health_transitions (${columns}) VALUES ${values} ON CONFLICT DO NOTHING`;
        const row = ({ uid, at, to, from, message }: RunTransition) => [uid, at, to, from, message, nextPosition()];
        await database.run(sql, ...batch.flatMap<SqlValue>(row));
      }
    },
    async newest(uids, last) {
      const found = new Map<string, HealthTransition[]>(uids.map((uid) => [uid, []]));
      for (const batch of batches(uids)) {
        for (const row of await database.all(newestSql(batch.length), ...batch, last)) {
          found.get(String(row.run_uid))?.push(transitionOf(row));
        }
      }
      return found;
    },
    async prune({ before, perRun, live }) {
      const drop = 'DELETE FROM health_transitions WHERE run_uid = ?';
      const grouped = 'SELECT run_uid FROM health_transitions GROUP BY run_uid HAVING';
      for (const { run_uid } of await database.all(`${grouped} MIN(at) < ?`, before)) {
        const uid = String(run_uid);
        const older = 'at < (SELECT MAX(at) FROM health_transitions WHERE run_uid = ?)';
        if (live(uid)) await database.run(`${drop} AND at < ? AND ${older}`, uid, before, uid);
        else await database.run(`${drop} AND at < ?`, uid, before);
      }
      const nth = 'SELECT position FROM health_transitions WHERE run_uid = ? ORDER BY position DESC LIMIT 1 OFFSET ?';
      for (const { run_uid } of await database.all(`${grouped} COUNT(*) > ?`, perRun)) {
        await database.run(`${drop} AND position <= (${nth})`, String(run_uid), String(run_uid), perRun);
      }
    },
    close: () => database.close(),
  };
}

function transitionOf({ at, from_health, to_health, message }: Row): HealthTransition {
  return {
    at: Number(at),
    from: from_health as HealthStatus | null,
    to: to_health as HealthStatus,
    message: message as string | null,
  };
}

function marks(count: number): string {
  return Array.from({ length: count }, () => '?').join(', ');
}

function* batches<T>(all: readonly T[]): Generator<readonly T[]> {
  for (let at = 0; at < all.length; at += batchSize) yield all.slice(at, at + batchSize);
}
