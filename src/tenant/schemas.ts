import { tenantMigrations } from "../../migrations/tenant/index.ts";
import { type Compatibility, incompatibilities } from "../event-schemas/compatibility.ts";
import type { Schema } from "../event-schemas/schema.ts";
import { isEmptyStore, migrate } from "../storage/migrate.ts";
import { blob, blobOrNull, integer, type SqlRow, type SqlStore, text, textOrNull } from "../storage/sql-store.ts";
import { utf8, uuidBytes, uuidFromBytes } from "../ves/index.ts";
import { type Change, recordAct } from "./audit-log.ts";
import { schemaAct, schemaStatusAct } from "./audited-acts.ts";
import { raiseVersion } from "./registry.ts";
import type {
  SchemaRecord,
  SchemaRef,
  SchemaRegistration,
  SchemaRegistrationResult,
  SchemaStatus,
} from "./schema-messages.ts";

/** Versions of one event type that are stored at a time. */
export const MAX_SCHEMAS_PER_TYPE = 100;
/** Event types ever registered: those whose schemas were deleted count, because their numbers are never given again. */
export const MAX_EVENT_TYPES = 1_000;
/** All schemas of a tenant together, so that each of them may be answered at once: an answer over RPC has 32 MiB at most. */
export const MAX_TENANT_SCHEMA_BYTES = 8 * 1024 * 1024;
/** Schemas of one answer. */
export const MAX_LISTED_SCHEMAS = 1_000;

/*
 * The schemas of a tenant's event types, written against a SqlStore. They decide whether an event may be accepted, so each
 * change of them raises the registry's version, and is entered in the audit log, in the same transaction.
 */

/**
 * Registers the next version of an event type's schema. The latest active one is answered when it says the same already:
 * registering again after a lost answer makes no second version.
 */
export function registerSchema(
  store: SqlStore,
  registration: SchemaRegistration,
  change: Change & { readonly schemaId: string },
): SchemaRegistrationResult {
  return store.transaction((): SchemaRegistrationResult => {
    migrate(store, tenantMigrations);
    const { eventType, schemaText } = registration;
    const latest = activeSchema(store, eventType);
    if (latest?.schemaText === schemaText) return { kind: "registered", schema: latest };
    const bytes = utf8(schemaText).length;
    const message = reachedLimit(store, eventType, bytes);
    if (message !== undefined) return { kind: "limit_reached", message };
    if (latest !== null) {
      const problems = compare(latest, schemaText, registration.compatibility);
      if (problems.length > 0) return { kind: "incompatible", latestVersion: latest.version, problems };
    }
    const version = nextVersion(store, eventType);
    const schema: SchemaRecord = {
      ...registration,
      schemaId: change.schemaId,
      version,
      status: "active",
      createdAt: change.now,
      updatedAt: change.now,
    };
    insert(store, schema, bytes);
    raiseVersion(store);
    recordAct(store, change, schemaAct("schema.registered", schema));
    return { kind: "registered", schema };
  });
}

/** All schemas of the tenant, or of one event type: by event type, newest version first. */
export function listSchemas(store: SqlStore, eventType?: string): SchemaRecord[] {
  if (isEmptyStore(store)) return [];
  const order = `ORDER BY event_type, version DESC LIMIT ${MAX_LISTED_SCHEMAS}`;
  const rows =
    eventType === undefined
      ? store.exec(`SELECT * FROM event_schemas ${order}`)
      : store.exec(`SELECT * FROM event_schemas WHERE event_type = ? ${order}`, eventType);
  return rows.map(schemaFromRow);
}

export function findSchema(store: SqlStore, schemaId: string): SchemaRecord | null {
  if (isEmptyStore(store)) return null;
  return first(store.exec("SELECT * FROM event_schemas WHERE schema_id = ?", uuidBytes(schemaId)));
}

/** A version of an event type's schema, whatever its status. */
export function schemaVersion(store: SqlStore, eventType: string, version: number): SchemaRecord | null {
  if (isEmptyStore(store)) return null;
  return first(store.exec("SELECT * FROM event_schemas WHERE event_type = ? AND version = ?", eventType, version));
}

/** The texts of these schemas, as far as they are there. */
export function schemaTexts(store: SqlStore, schemaIds: readonly string[]): Map<string, string> {
  const found = schemaIds.map((schemaId) => findSchema(store, schemaId)).filter((schema) => schema !== null);
  return new Map(found.map(({ schemaId, schemaText }) => [schemaId, schemaText]));
}

/** The highest active version: what events of this type are held to. */
export function activeSchema(store: SqlStore, eventType: string): SchemaRecord | null {
  if (isEmptyStore(store)) return null;
  return first(store.exec(`SELECT * FROM event_schemas ${ACTIVE}`, eventType));
}

/** Which schemas events of these types are held to, without the schemas themselves. */
export function activeSchemas(store: SqlStore, eventTypes: readonly string[]): Map<string, SchemaRef | null> {
  return new Map(eventTypes.map((eventType) => [eventType, activeSchemaRef(store, eventType)]));
}

function activeSchemaRef(store: SqlStore, eventType: string): SchemaRef | null {
  if (isEmptyStore(store)) return null;
  const [row] = store.exec(`SELECT schema_id, version FROM event_schemas ${ACTIVE}`, eventType);
  return row === undefined
    ? null
    : { schemaId: uuidFromBytes(blob(row["schema_id"])), version: integer(row["version"]) };
}

const ACTIVE = "WHERE event_type = ? AND status = 'active' ORDER BY version DESC LIMIT 1";

/** False when there is no such schema. Setting the status that it has changes nothing. */
export function setSchemaStatus(store: SqlStore, schemaId: string, status: SchemaStatus, change: Change): boolean {
  const schema = findSchema(store, schemaId);
  if (schema === null || schema.status === status) return schema !== null;
  store.transaction(() => {
    store.exec(
      "UPDATE event_schemas SET status = ?, updated_at = ? WHERE schema_id = ?",
      status,
      change.now,
      uuidBytes(schemaId),
    );
    raiseVersion(store);
    recordAct(store, change, schemaStatusAct(schema, status));
  });
  return true;
}

/** False when there is no such schema. Its version is not given again. */
export function deleteSchema(store: SqlStore, schemaId: string, change: Change): boolean {
  const schema = findSchema(store, schemaId);
  if (schema === null) return false;
  store.transaction(() => {
    store.exec("DELETE FROM event_schemas WHERE schema_id = ?", uuidBytes(schemaId));
    raiseVersion(store);
    recordAct(store, change, schemaAct("schema.deleted", schema));
  });
  return true;
}

function compare(latest: SchemaRecord, schemaText: string, compatibility: Compatibility) {
  const parse = (json: string): Schema => JSON.parse(json) as Schema;
  return incompatibilities(
    {
      latest: { name: `version ${latest.version}`, schema: parse(latest.schemaText) },
      next: { name: "the new version", schema: parse(schemaText) },
    },
    compatibility,
  );
}

function reachedLimit(store: SqlStore, eventType: string, bytes: number): string | undefined {
  const number = (sql: string, ...bindings: string[]): number => integer(store.exec(sql, ...bindings)[0]?.["number"]);
  if (number("SELECT COUNT(*) AS number FROM event_schemas WHERE event_type = ?", eventType) >= MAX_SCHEMAS_PER_TYPE) {
    return `An event type may have ${MAX_SCHEMAS_PER_TYPE} schemas: delete one first`;
  }
  const isNewType = store.exec("SELECT 1 FROM event_types WHERE event_type = ?", eventType).length === 0;
  if (isNewType && number("SELECT COUNT(*) AS number FROM event_types") >= MAX_EVENT_TYPES) {
    return `A tenant may have schemas for ${MAX_EVENT_TYPES} event types, deleted ones included`;
  }
  if (number("SELECT COALESCE(SUM(bytes), 0) AS number FROM event_schemas") + bytes > MAX_TENANT_SCHEMA_BYTES) {
    return `A tenant's schemas may have ${MAX_TENANT_SCHEMA_BYTES} bytes together: delete some first`;
  }
  return undefined;
}

function nextVersion(store: SqlStore, eventType: string): number {
  const [row] = store.exec(
    `INSERT INTO event_types (event_type, latest_version) VALUES (?, 1)
       ON CONFLICT (event_type) DO UPDATE SET latest_version = latest_version + 1 RETURNING latest_version`,
    eventType,
  );
  return integer(row?.["latest_version"]);
}

function insert(store: SqlStore, schema: SchemaRecord, bytes: number): void {
  store.exec(
    `INSERT INTO event_schemas (schema_id, event_type, version, status, compatibility, bytes, created_at, updated_at,
       created_by, description, schema) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    uuidBytes(schema.schemaId),
    schema.eventType,
    schema.version,
    schema.status,
    schema.compatibility,
    bytes,
    schema.createdAt,
    schema.updatedAt,
    schema.createdBy === null ? null : uuidBytes(schema.createdBy),
    schema.description,
    schema.schemaText,
  );
}

function first([row]: readonly SqlRow[]): SchemaRecord | null {
  return row === undefined ? null : schemaFromRow(row);
}

function schemaFromRow(row: SqlRow): SchemaRecord {
  const createdBy = blobOrNull(row["created_by"]);
  return {
    schemaId: uuidFromBytes(blob(row["schema_id"])),
    eventType: text(row["event_type"]),
    version: integer(row["version"]),
    status: text(row["status"]) as SchemaStatus,
    compatibility: text(row["compatibility"]) as Compatibility,
    description: textOrNull(row["description"]),
    createdAt: integer(row["created_at"]),
    updatedAt: integer(row["updated_at"]),
    createdBy: createdBy === null ? null : uuidFromBytes(createdBy),
    schemaText: text(row["schema"]),
  };
}
