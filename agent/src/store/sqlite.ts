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
  db.exec("PRAGMA journal_mode = WAL");
  // What is recorded is on disk before anybody hears of it, also when the power fails.
  db.exec("PRAGMA synchronous = FULL");
  return sqlAgentStore(sqlOf(db), () => db.close());
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
        db.exec("ROLLBACK");
        throw error;
      }
    },
  };
}
