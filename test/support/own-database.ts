import { Client } from "pg";
import { migratePostgres } from "../../scripts/lib/postgres-migrations.ts";

/** A migrated database of one test's own, on a server that others use too. */
export interface OwnDatabase {
  readonly url: string;
  /** Runs statements on it as an operator would by hand. @returns the rows of the last one */
  readonly query: (sql: string) => Promise<Record<string, unknown>[]>;
  readonly drop: () => Promise<void>;
}

/** @param serverUrl of any database on the server */
export async function ownDatabase(serverUrl: string): Promise<OwnDatabase> {
  const name = `test_${crypto.randomUUID().replaceAll("-", "")}`;
  await query(serverUrl, `CREATE DATABASE ${name}`);
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  await migratePostgres(url.href);
  return {
    url: url.href,
    query: (sql) => query(url.href, sql),
    drop: async () => void (await query(serverUrl, `DROP DATABASE ${name} WITH (FORCE)`)),
  };
}

async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}
