import { DatabaseSync } from "node:sqlite";
import type { SqlRow, SqlStore, SqlValue } from "../../../src/storage/sql-store.ts";
import { sqlAgentStore } from "./sql-store.ts";
import type { AgentStore } from "./store.ts";

/** What is used of a prepared statement. */
interface SqliteStatement {
  all(...bindings: (string | number | null | Uint8Array)[]): unknown[];
  run(...bindings: (string | number | null | Uint8Array)[]): unknown;
  /** Whether it gives rows, where the library tells. */
  readonly reader?: boolean;
}

/** What is used of a database: node:sqlite has it, and so has better-sqlite3. */
export interface SqliteDatabase {
  exec(sql: string): unknown;
  prepare(sql: string): SqliteStatement;
  close(): unknown;
}

/** How long a transaction waits for those of other processes. */
const BUSY_TIMEOUT_MS = 10_000;
const BUSY_PAUSE_MS = 10;
/** The primary result code (sqlite.org/rescode.html). */
const SQLITE_BUSY = 5;

/**
 * An agent's store in a file. Several processes may have it open.
 *
 * @throws Error when the file cannot be opened, is no database, or was written by a newer version
 */
export function openSqliteStore(path: string): AgentStore {
  return sqliteStore(new DatabaseSync(path));
}

/** An agent's store in a database that was opened elsewhere, with node:sqlite or better-sqlite3. The store closes it. */
export function sqliteStore(db: SqliteDatabase): AgentStore {
  db.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
  useWal(db);
  // What is recorded is on disk before anybody hears of it, also when the power fails.
  db.exec("PRAGMA synchronous = FULL");
  return sqlAgentStore(sqlOf(db), () => db.close());
}

/**
 * Where another process is writing to a file that is not in that mode yet, SQLite says at once that it is locked and waits for
 * nothing, so that two that wait for each other cannot come to be.
 *
 * @throws Error when the file stays locked
 */
function useWal(db: SqliteDatabase): void {
  const deadline = Date.now() + BUSY_TIMEOUT_MS;
  for (;;) {
    try {
      db.exec("PRAGMA journal_mode = WAL");
      return;
    } catch (error) {
      if (!isBusy(error) || Date.now() > deadline) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, BUSY_PAUSE_MS);
    }
  }
}

/** As node:sqlite says it, or better-sqlite3. */
function isBusy(error: unknown): boolean {
  const { errcode, code } = error as { readonly errcode?: unknown; readonly code?: unknown };
  return errcode === SQLITE_BUSY || code === "SQLITE_BUSY";
}

function sqlOf(db: SqliteDatabase): SqlStore {
  const statements = new Map<string, SqliteStatement>();
  const prepare = (sql: string): SqliteStatement => {
    const known = statements.get(sql);
    if (known !== undefined) return known;
    const statement = db.prepare(sql);
    statements.set(sql, statement);
    return statement;
  };
  return {
    exec<Row extends SqlRow>(sql: string, ...bindings: SqlValue[]): Row[] {
      if (bindings.length === 0 && /;\s*\S/.test(sql)) {
        db.exec(sql);
        return [];
      }
      const statement = prepare(sql);
      const inputs = bindings.map((value) => (value instanceof ArrayBuffer ? new Uint8Array(value) : value));
      if (statement.reader !== false) return statement.all(...inputs) as Row[];
      statement.run(...inputs);
      return [];
    },
    transaction<T>(body: () => T): T {
      // Takes the write lock at once: a transaction that reads first and then finds that it may not write would fail.
      db.exec("BEGIN IMMEDIATE");
      try {
        const result = body();
        db.exec("COMMIT");
        return result;
      } catch (error) {
        rollBack(db);
        throw error;
      }
    },
  };
}

/** SQLite may have done it by itself, as when the disk is full, and says then that there is nothing to roll back. */
function rollBack(db: SqliteDatabase): void {
  try {
    db.exec("ROLLBACK");
  } catch {
    // What went wrong before says more.
  }
}
