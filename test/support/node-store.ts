import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import type { SqlRow, SqlStore, SqlValue } from "../../src/storage/sql-store.ts";

export interface NodeStore extends SqlStore {
  readonly close: () => void;
}

/** node:sqlite as a SqlStore. Numbers are bound as REAL, as a Durable Object binds them. */
export function nodeStore(path = ":memory:"): NodeStore {
  const db = new DatabaseSync(path);
  const statements = new Map<string, StatementSync>();
  let depth = 0;

  const prepare = (sql: string): StatementSync => {
    const statement = statements.get(sql) ?? db.prepare(sql);
    statements.set(sql, statement);
    return statement;
  };
  return {
    exec<Row extends SqlRow>(sql: string, ...bindings: SqlValue[]): Row[] {
      if (bindings.length === 0 && /;\s*\S/.test(sql)) {
        db.exec(sql);
        return [];
      }
      return prepare(sql).all(...bindings.map(asInput)) as Row[];
    },
    transaction<T>(body: () => T): T {
      const savepoint = `level${depth++}`;
      db.exec(`SAVEPOINT ${savepoint}`);
      try {
        const result = body();
        db.exec(`RELEASE ${savepoint}`);
        return result;
      } catch (error) {
        db.exec(`ROLLBACK TO ${savepoint}; RELEASE ${savepoint}`);
        throw error;
      } finally {
        depth--;
      }
    },
    close: () => db.close(),
  };
}

function asInput(value: SqlValue): SQLInputValue {
  return value instanceof ArrayBuffer ? new Uint8Array(value) : value;
}
