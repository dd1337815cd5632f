import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What is on disk about a program from before it is started until after it has ended. */
export interface ProcessRecord {
  /** Also in the program's environment, so a program whose pid was never written down is found. */
  id: string;
  podUid: string;
  container: string;
  /** Which run of the container this is: 0, 1, … */
  run: number;
  /** In ms since the epoch. */
  startedAt: number;
  /** Absent while the program is being started. */
  process?: { pid: number; startTime: string };
}

export interface ProcessRecords {
  all(): ProcessRecord[];
  /** Written as a whole or not at all, before it returns. */
  write(record: ProcessRecord): void;
  remove(id: string): void;
  /** Tells the programs of this data folder from all others of the machine. */
  readonly owner: string;
}

function isRecord(value: unknown): value is ProcessRecord {
  const record = value as Partial<ProcessRecord> | null;
  return (
    typeof record === 'object' &&
    typeof record?.id === 'string' &&
    typeof record.podUid === 'string' &&
    typeof record.container === 'string' &&
    typeof record.run === 'number' &&
    typeof record.startedAt === 'number'
  );
}

export function openProcessRecords(folder: string): ProcessRecords {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { dev, ino } = statSync(folder);
  const pathOf = (id: string) => join(folder, `${id}.json`);
  return {
    // Not a number in a file: a copied data folder would then claim the programs of the original.
    owner: `${dev.toString(36)}-${ino.toString(36)}`,
    all() {
      return readdirSync(folder).flatMap((name) => {
        if (!name.endsWith('.json')) return [];
        try {
          const value: unknown = JSON.parse(readFileSync(join(folder, name), 'utf8'));
          return isRecord(value) && `${value.id}.json` === name ? [value] : [];
        } catch {
          // Unreadable: its program, if any, is found by its mark and ended.
          return [];
        }
      });
    },
    write(record) {
      const temporary = `${pathOf(record.id)}.new`;
      writeFileSync(temporary, JSON.stringify(record), { mode: 0o600 });
      renameSync(temporary, pathOf(record.id));
    },
    remove: (id) => rmSync(pathOf(id), { force: true }),
  };
}
