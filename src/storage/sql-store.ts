/** What SQLite can hold in one column. 64-bit integers beyond 2^53 are never used. */
export type SqlValue = string | number | null | Uint8Array | ArrayBuffer;

export type SqlRow = Record<string, SqlValue>;

/**
 * The synchronous storage that the log and the registry are written against. A Durable Object's SQLite and node:sqlite
 * both satisfy it, so the same code runs in production and in plain Node tests.
 *
 * Durability contract: when `transaction` returns, its writes are all in, in order, and visible to every later read;
 * when it throws, none is, and the store may have to be opened again. They are on disk before any answer leaves the object (the output gate), not before it returns.
 */
export interface SqlStore {
  /** Runs one or more statements and returns the rows of the last one. BLOBs may come back as either buffer type. */
  exec<Row extends SqlRow = SqlRow>(sql: string, ...bindings: SqlValue[]): Row[];
  /** Runs `body` atomically. `body` must be synchronous: an async one would commit at its first await. */
  transaction<T>(body: () => T): T;
}

/*
 * Columns are read through these: a value of another type than the schema says is corruption, and must not pass for data.
 */

type Column = SqlValue | undefined;

export function integer(value: Column): number {
  if (typeof value === "number" && Number.isSafeInteger(value)) return value;
  throw new TypeError("expected an INTEGER column");
}

export function integerOrNull(value: Column): number | null {
  return value === null ? null : integer(value);
}

export function text(value: Column): string {
  if (typeof value === "string") return value;
  throw new TypeError("expected a TEXT column");
}

export function textOrNull(value: Column): string | null {
  return value === null ? null : text(value);
}

/** A BLOB as bytes, whichever buffer type the store answers with. */
export function blob(value: Column): Uint8Array {
  if (value instanceof Uint8Array) return value;
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  throw new TypeError("expected a BLOB column");
}

export function blobOrNull(value: Column): Uint8Array | null {
  return value === null ? null : blob(value);
}
