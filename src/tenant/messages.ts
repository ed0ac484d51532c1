import type { ActiveSchemas } from "./schema-messages.ts";

/** What the Workers and streams of a tenant say to its registry. Failures are results: errors lose their type across RPC. */

/** A registered signing key. Times are milliseconds since the epoch. */
export interface RegisteredKey {
  readonly agentId: string;
  readonly keyId: number;
  readonly publicKey: Uint8Array;
  readonly createdAt: number;
  readonly validFrom: number | null;
  readonly validTo: number | null;
  readonly revokedAt: number | null;
}

export interface KeyRegistration {
  readonly agentId: string;
  /** Null: the next free one. */
  readonly keyId: number | null;
  readonly publicKey: Uint8Array;
  readonly validFrom: number | null;
  readonly validTo: number | null;
}

export type KeyRegistrationResult =
  | { readonly kind: "registered"; readonly keyId: number }
  | { readonly kind: "key_exists"; readonly keyId: number }
  | { readonly kind: "too_many_keys"; readonly limit: number };

/** What may be recorded by one agent (section "Agent policies" of the HTTP API). */
export interface AgentPolicy {
  readonly allowedEventTypes: readonly string[];
  readonly allowedEntityTypes: readonly string[];
  readonly requireBaseVersion: boolean;
  readonly maxPayloadBytes: number | null;
  readonly enabled: boolean;
}

/** What the registry says of an agent, as of one version. */
export interface AgentSnapshot {
  readonly version: number;
  readonly keys: readonly RegisteredKey[];
  readonly policy: AgentPolicy | null;
}

/** The same with the schemas of the event types that were asked for. */
export interface CheckSnapshot extends AgentSnapshot {
  readonly schemas: ActiveSchemas;
}

export interface Permissions {
  readonly read: boolean;
  readonly write: boolean;
  readonly admin: boolean;
}

/** A minted API key as stored: the key itself is known only to who received it. */
export interface ApiKeyRecord {
  /** Lowercase hex SHA-256 of the whole key text. */
  readonly keyHash: string;
  readonly agentId: string;
  /** Null: all stores of the tenant. */
  readonly storeIds: readonly string[] | null;
  readonly permissions: Permissions;
  /** Requests in RATE_LIMIT_WINDOW_SECONDS; null: no limit of its own. */
  readonly rateLimit: number | null;
  readonly createdAt: number;
  readonly expiresAt: number | null;
  readonly revokedAt: number | null;
}

export type NewApiKey = Omit<ApiKeyRecord, "createdAt" | "revokedAt">;

/** Given by whoever may, or taken by an agent that registers itself and its tenant with it. */
export type ApiKeyOrigin = "minted" | "self_registered";

export type ApiKeyRevocation =
  | { readonly kind: "revoked"; readonly key: ApiKeyRecord }
  | { readonly kind: "not_found" }
  /** More than one key begins with this prefix. */
  | { readonly kind: "ambiguous" };
