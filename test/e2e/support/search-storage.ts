import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import type { OwnDatabase } from "../../support/own-database.ts";

/** Which of the texts lie in the files of a directory, one of which is a database's. Nobody may write to it meanwhile. */
export function textsInFiles(texts: readonly string[], directory: string): string[] {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  expect(files.some(({ name }) => /\.(sqlite|db)$/.test(name))).toBe(true);
  const bytes = files.map(({ parentPath, name }) => readFileSync(join(parentPath, name)));
  return texts.filter((text) => bytes.some((content) => content.includes(text)));
}

/** Which of the texts lie in the files of a server that is down, and which in any column of any table of its mirror. */
export async function textsInStorage(
  texts: readonly string[],
  dataDirectory: string,
  database: OwnDatabase,
): Promise<{ readonly files: string[]; readonly database: string[] }> {
  const tables = await database.query("SELECT tablename FROM pg_tables WHERE schemaname = 'public'");
  expect(tables.length).toBeGreaterThan(5);
  const rows: string[] = [];
  for (const { tablename } of tables) {
    // As text, and bytea as hex.
    for (const row of await database.query(`SELECT t::text AS row FROM ${String(tablename)} AS t`)) {
      rows.push(String(row["row"]));
    }
  }
  const isIn = (text: string, row: string): boolean =>
    row.includes(text) || row.includes(Buffer.from(text).toString("hex"));
  return {
    files: textsInFiles(texts, dataDirectory),
    database: texts.filter((text) => rows.some((row) => isIn(text, row))),
  };
}
