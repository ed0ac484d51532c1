import { integer, type SqlStore } from "../storage/sql-store.ts";

/** The highest number given, 0 when there is none. Read from storage each time: a stale object must not answer from memory. */
export function headOf(store: SqlStore): number {
  return integer(store.exec("SELECT COALESCE(MAX(sequence_number), 0) AS head FROM events")[0]?.["head"]);
}
