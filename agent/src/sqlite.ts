/* An agent's store in a SQLite file, with node:sqlite or with better-sqlite3. For Node 22.13 and later. */
export { openSqliteStore, type SqliteDatabase, sqliteStore } from "./store/sqlite.ts";
