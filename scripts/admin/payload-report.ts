import { count } from "../lib/text.ts";
import { type PayloadUse, type StorageUse } from "./payload-walk.ts";

const KEY_WIDTH = 20;
const CELL_WIDTH = 12;

/** Which keys payloads are under, as a table. */
export function keysText({ object, database }: PayloadUse): string {
  const keys = Array.from(new Set([...object.keys.keys(), ...database.keys.keys()])).toSorted();
  const row = (cells: readonly string[]): string =>
    `  ${cells.map((cell, index) => (index === 0 ? cell.padEnd(KEY_WIDTH) : cell.padStart(CELL_WIDTH))).join("")}`;
  const of = (use: StorageUse, key: string): string => {
    const { current, old } = use.keys.get(key) ?? { current: 0, old: 0 };
    return count(current + old);
  };
  const isOld = (key: string): boolean => [object, database].some((use) => (use.keys.get(key)?.old ?? 0) > 0);
  const lines = keys.map((key) =>
    row([key === "none" ? "not encrypted" : key, of(object, key), of(database, key), isOld(key) ? "old" : "current"]),
  );
  return `${[row(["key", "objects", "database", ""]), ...lines].join("\n")}\n`;
}

/** The same for programs. */
export function keysJson({ object, database }: PayloadUse) {
  const of = ({ keys, reencrypted }: StorageUse) => ({ keys: Object.fromEntries(keys), reencrypted });
  return { object: of(object), database: of(database) };
}
