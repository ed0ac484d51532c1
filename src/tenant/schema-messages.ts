import type { Compatibility } from "../event-schemas/compatibility.ts";
import type { SchemaProblem } from "../event-schemas/schema-problem.ts";

/** What is said to a registry about the schemas of event types. */

export const SCHEMA_STATUSES = ["active", "deprecated", "archived"] as const;
/** Events are held to the highest active version of their type; the others can still be read and asked about. */
export type SchemaStatus = (typeof SCHEMA_STATUSES)[number];

/** One version of the schema of an event type. Only its status changes. */
export interface SchemaRecord {
  /** UUID. */
  readonly schemaId: string;
  readonly eventType: string;
  /** From 1, and never given twice. */
  readonly version: number;
  readonly status: SchemaStatus;
  /** What it was compared with its predecessor for. */
  readonly compatibility: Compatibility;
  readonly description: string | null;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  readonly updatedAt: number;
  /** The agent whose credential registered it; null for the bootstrap administrator. */
  readonly createdBy: string | null;
  /** Canonical JSON. */
  readonly schemaText: string;
}

export interface SchemaRegistration {
  readonly eventType: string;
  /** Canonical JSON of a schema that nothing is wrong with. */
  readonly schemaText: string;
  readonly description: string | null;
  readonly compatibility: Compatibility;
  readonly createdBy: string | null;
}

export type SchemaRegistrationResult =
  /** Just now, or it is the latest active version already. */
  | { readonly kind: "registered"; readonly schema: SchemaRecord }
  | { readonly kind: "incompatible"; readonly latestVersion: number; readonly problems: readonly SchemaProblem[] }
  /** The message is a sentence. */
  | { readonly kind: "limit_reached"; readonly message: string };

/** Which schema events of a type are held to. What it says never changes under its id. */
export interface SchemaRef {
  readonly schemaId: string;
  readonly version: number;
}

/** By event type: null where there is no active schema. */
export type ActiveSchemas = ReadonlyMap<string, SchemaRef | null>;
