import type { Migration } from "../migration.ts";

/** A row for each time that the stream froze or thawed, whichever of its two reasons came or went. */
const noteOf = (party: "mirror" | "chain", table: string, column: string): string => `
    CREATE TRIGGER the_${party}_freezes_and_thaws AFTER UPDATE OF ${column} ON ${table}
    WHEN (OLD.${column} IS NULL) <> (NEW.${column} IS NULL)
    BEGIN
      INSERT INTO audit_notes (note_id, noted_at, party, reason) VALUES (
        lower(hex(randomblob(6)) || '4' || substr(hex(randomblob(2)), 2) || '8' || substr(hex(randomblob(8)), 2)),
        CAST(unixepoch('subsec') * 1000 AS INTEGER), '${party}', substr(NEW.${column}, 1, 1000));
    END;
`;

/**
 * What the tenant's audit log is still to be told of this stream. Triggers write it, so that no change can forget to.
 * docs/storage-schema.md explains every column.
 */
export const auditNotes: Migration = {
  id: 5,
  name: "audit_notes",
  sql: `
    CREATE TABLE audit_notes (
      id        INTEGER PRIMARY KEY,
      note_id   TEXT NOT NULL,
      noted_at  INTEGER NOT NULL,
      party     TEXT NOT NULL,
      reason    TEXT
    ) STRICT;
    ${noteOf("mirror", "mirror_state", "frozen_reason")}
    ${noteOf("chain", "anchor_state", "conflict_reason")}
  `,
};
