import type { Migration } from "../../migrations/migration.ts";
import { integer, type SqlStore } from "./sql-store.ts";

/** True when the store has never been written to. Reads nothing but the catalogue, writes nothing. */
export function isEmptyStore(store: SqlStore): boolean {
  return store.exec("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'schema_migrations'").length === 0;
}

/**
 * Brings the schema up to date: applies, in one transaction, every migration that is not recorded yet.
 *
 * @throws Error if the store was written by a newer version of this software, whose schema this one cannot know.
 */
export function migrate(store: SqlStore, migrations: readonly Migration[]): void {
  store.transaction(() => {
    if (isEmptyStore(store)) {
      store.exec("CREATE TABLE schema_migrations (id INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT");
    }
    const applied = integer(store.exec("SELECT COALESCE(MAX(id), 0) AS id FROM schema_migrations")[0]?.["id"]);
    const newest = migrations.at(-1)?.id ?? 0;
    if (applied > newest) {
      throw new Error(
        `the stored schema is at step ${applied}, this version knows only ${newest}: deploy a newer version`,
      );
    }
    for (const { id, name, sql } of migrations.filter((migration) => migration.id > applied)) {
      store.exec(sql);
      store.exec("INSERT INTO schema_migrations (id, name) VALUES (?, ?)", id, name);
    }
  });
}
