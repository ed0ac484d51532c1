import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { startPostgres } from "../../scripts/lib/embedded-postgres.ts";
import { migratePostgres } from "../../scripts/lib/postgres-migrations.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** A migrated PostgreSQL database that all suites of the run share: keep to tenants of your own. */
    postgresUrl: string;
  }
}

/** One PostgreSQL server for the whole run. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const directory = mkdtempSync(join(tmpdir(), "sequencer-postgres-"));
  // As root, Postgres runs as another user, who has to get through.
  chmodSync(directory, 0o755);
  const postgres = await startPostgres({ dataDirectory: join(directory, "postgres"), durable: false });
  await migratePostgres(postgres.url);
  project.provide("postgresUrl", postgres.url);
  return async () => {
    await postgres.stop();
    rmSync(directory, { recursive: true, force: true });
  };
}
