import { readFileSync } from "node:fs";
import { join } from "node:path";
import { readMigrationFiles } from "drizzle-orm/migrator";
import { Client } from "pg";

const FILES = { migrationsFolder: join(import.meta.dirname, "..", "..", "migrations", "postgres") };

const CONNECT_MS = 10_000;
const UNKNOWN_STEPS =
  "it has migrations that are not among those of this version. Use the version that made them, or a newer one";

/** Any number that no other program locks on the same database. */
const LOCK = 5_374_531;

/**
 * Brings the mirror's database to the schema of migrations/postgres. May be run at any time and by several at once: they
 * take turns. All steps are one transaction, so that an interruption leaves the schema as it was.
 *
 * @returns the names of the steps that were applied
 * @throws Error, as a sentence: the database cannot be used, or it has steps that are not among ours
 */
export async function migratePostgres(url: string): Promise<{ readonly applied: readonly string[] }> {
  return withDatabase(url, async (client) => {
    // The tables have no schema in their names, and their triggers look for them in this one.
    await client.query("SET search_path TO public");
    // Of the session, and not of a transaction: the table of applied steps is made before drizzle begins its own.
    await client.query("SELECT pg_advisory_lock($1)", [LOCK]);
    const applied = await pendingSteps(client);
    if (applied.length > 0) await applyAll(client);
    return { applied };
  });
}

/** The names of the steps that {@link migratePostgres} would apply. @throws Error as that does */
export function pendingMigrations(url: string): Promise<readonly string[]> {
  return withDatabase(url, pendingSteps);
}

async function withDatabase<Result>(url: string, work: (client: Client) => Promise<Result>): Promise<Result> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: CONNECT_MS });
  // A lost connection fails the query that waits for it, too; without a listener it would end the process.
  client.on("error", () => {});
  try {
    await client.connect();
    return await work(client);
  } catch (error) {
    throw new Error(`The PostgreSQL database cannot be used: ${reasonOf(error)}`, { cause: error });
  } finally {
    await client.end();
  }
}

async function pendingSteps(client: Client): Promise<readonly string[]> {
  const before = await appliedHashes(client);
  const known = readMigrationFiles(FILES).map(({ hash }) => hash);
  if (before.some((hash, index) => hash !== known[index])) throw new Error(UNKNOWN_STEPS);
  return stepNames().slice(before.length);
}

async function applyAll(client: Client): Promise<void> {
  // Only now: loading it takes longer than everything that a start has to do when there is nothing to apply.
  const { drizzle } = await import("drizzle-orm/node-postgres");
  const { migrate } = await import("drizzle-orm/node-postgres/migrator");
  await migrate(drizzle(client), FILES);
}

/** In the order in which they were applied. */
async function appliedHashes(client: Client): Promise<string[]> {
  const { rows: tables } = await client.query(
    "SELECT to_regclass('drizzle.__drizzle_migrations') IS NOT NULL AS there",
  );
  if (tables[0]?.there !== true) return [];
  const { rows } = await client.query<{ hash: string }>("SELECT hash FROM drizzle.__drizzle_migrations ORDER BY id");
  return rows.map(({ hash }) => hash);
}

/** In order. */
function stepNames(): string[] {
  const journal = readFileSync(join(FILES.migrationsFolder, "meta", "_journal.json"), "utf8");
  return (JSON.parse(journal) as { entries: { tag: string }[] }).entries.map(({ tag }) => tag);
}

/** drizzle wraps what went wrong; and where a host has several addresses, the error of all of them has no message. */
function reasonOf(error: unknown): string {
  const { message, code, cause } = error as NodeJS.ErrnoException;
  return cause instanceof Error ? reasonOf(cause) : message || String(code);
}
