import { count, counted } from "../lib/text.ts";
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

/** Which payloads no key opens; empty when there are none. */
export function unreadableText({ unreadable }: PayloadUse): string {
  if (unreadable.count === 0) return "";
  const lines = unreadable.first.map(
    ({ tenant_id: tenant, store_id: store, sequence_number: number, reason }) =>
      `  Tenant ${tenant}, store ${store}, event ${number}: ${reason}\n`,
  );
  const more = unreadable.count - unreadable.first.length;
  const rest = more === 0 ? "" : `  and ${count(more)} more\n`;
  return `${counted(unreadable.count, "payload")} in objects cannot be opened, and stay as they are, in the database too:\n${lines.join("")}${rest}`;
}

/** The same for programs. */
export function keysJson({ streams, object, database, unreadable }: PayloadUse) {
  const of = ({ keys, reencrypted }: StorageUse) => ({ keys: Object.fromEntries(keys), reencrypted });
  return { streams, object: of(object), database: of(database), unreadable };
}
