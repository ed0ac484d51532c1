import type { SqlRow, SqlStore, SqlValue } from "./sql-store.ts";

/** The SQLite database of a Durable Object as a SqlStore. */
export function durableStore(storage: DurableObjectStorage): SqlStore {
  return {
    exec<Row extends SqlRow>(sql: string, ...bindings: SqlValue[]): Row[] {
      // Read to the end at once: a cursor held across an await may show rows of a later moment.
      return storage.sql.exec(sql, ...bindings).toArray() as unknown as Row[];
    },
    transaction<T>(body: () => T): T {
      return storage.transactionSync(body);
    },
  };
}
