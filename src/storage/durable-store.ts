import { failure, log } from "../observe/log.ts";
import type { SqlRow, SqlStore, SqlValue } from "./sql-store.ts";

/**
 * The SQLite database of a Durable Object as a SqlStore.
 *
 * All writes of one event-loop turn are one commit of the platform's anyway, so a transaction needs nothing to succeed. To
 * fail, it resets the object, which drops whatever the turn has written: the next call finds the object as the disk has
 * it. A savepoint (`transactionSync`) would undo just the one transaction, but keeps a copy of every page that is touched,
 * which costs a third of the time of an append, for a failure that leaves the object in doubt in any case.
 *
 * @param onWritten is told of the rows that each statement wrote, index entries included, unless there were none
 */
export function durableStore(
  ctx: Pick<DurableObjectState, "id" | "storage" | "abort">,
  onWritten: (rows: number) => void = () => undefined,
): SqlStore {
  return {
    exec<Row extends SqlRow>(sql: string, ...bindings: SqlValue[]): Row[] {
      const cursor = ctx.storage.sql.exec(sql, ...bindings);
      // Read to the end at once: a cursor held across an await may show rows of a later moment.
      const rows = cursor.toArray() as unknown as Row[];
      if (cursor.rowsWritten > 0) onWritten(cursor.rowsWritten);
      return rows;
    },
    transaction<T>(body: () => T): T {
      try {
        return body();
      } catch (error) {
        log.error("a transaction failed: the object is reset to what is on disk", {
          object: ctx.id.name,
          ...failure(error),
        });
        ctx.abort("a transaction failed");
        throw error;
      }
    },
  };
}
