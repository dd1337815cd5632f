import pg from 'pg';
import { inject } from 'vitest';

let databases = 0;

/** The URL of a new, empty database. */
export async function newDatabase(): Promise<string> {
  const server = inject('postgresUrl');
  databases += 1;
  const name = `test_${process.pid}_${databases}`;
  const client = new pg.Client({ connectionString: `${server}/postgres` });
  await client.connect();
  await client.query(`CREATE DATABASE ${name}`);
  await client.end();
  return `${server}/${name}`;
}
