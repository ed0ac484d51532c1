import type { Migration } from "../migration.ts";

/** The tenant's audit log, and which entries of it are not in Postgres yet. docs/storage-schema.md explains every column. */
export const audit: Migration = {
  id: 5,
  name: "audit",
  sql: `
    CREATE TABLE audit_log (
      sequence  INTEGER PRIMARY KEY CHECK (sequence > 0),
      entry_id  BLOB NOT NULL UNIQUE,
      action    TEXT NOT NULL,
      agent_id  BLOB,
      hash      BLOB NOT NULL,
      entry     TEXT NOT NULL
    ) STRICT;

    CREATE TRIGGER audit_entries_are_never_changed BEFORE UPDATE ON audit_log
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

    CREATE TRIGGER audit_entries_are_never_deleted BEFORE DELETE ON audit_log
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

    ALTER TABLE unmirrored ADD COLUMN audit_sequence INTEGER;

    CREATE TRIGGER audit_entries_are_mirrored AFTER INSERT ON audit_log
    BEGIN INSERT INTO unmirrored (audit_sequence) VALUES (NEW.sequence); END;
  `,
};
