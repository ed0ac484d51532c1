import type { Migration } from "../migration.ts";
import { log } from "./0001_log.ts";
import { batches } from "./0002_batches.ts";
import { anchors } from "./0003_anchors.ts";
import { payloadKeys } from "./0004_payload_keys.ts";
import { auditNotes } from "./0005_audit_notes.ts";

/** Schema of a StreamSequencer object, in order of application. */
export const streamMigrations: readonly Migration[] = [log, batches, anchors, payloadKeys, auditNotes];
