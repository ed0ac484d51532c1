/** Everything that is recorded. What ends in `_requested` or `_reported` is recorded before it is done. */
export const AUDIT_ACTIONS = [
  "agent.self_registered",
  "agent_key.registered",
  "agent_key.revoked",
  "agent_policy.set",
  "api_key.minted",
  "api_key.revoked",
  "batch.anchoring_reported",
  "batch.anchoring_requested",
  "encryption_key.registered",
  "encryption_key.revoked",
  "schema.deleted",
  "schema.registered",
  "schema.status_set",
  "stream.anchoring_requested",
  "stream.frozen",
  "stream.reencryption_requested",
  "stream.restoration_requested",
  "stream.thawed",
] as const;
export type AuditAction = (typeof AUDIT_ACTIONS)[number];

/** `public` has shown no credential, and `system` is the sequencer itself. */
export const ACTOR_KINDS = ["api_key", "jwt", "bootstrap", "public", "system"] as const;
export type ActorKind = (typeof ACTOR_KINDS)[number];

export const RESOURCE_TYPES = [
  "agent",
  "agent_key",
  "agent_policy",
  "api_key",
  "batch",
  "encryption_key",
  "schema",
  "stream",
] as const;
export type ResourceType = (typeof RESOURCE_TYPES)[number];

/** Flat, so that it stays small and survives every way it takes. Never a secret, nor what one could be guessed from. */
export type AuditDetails = Readonly<Record<string, string | number | boolean | null | readonly string[]>>;

/** Who does something, and from where. */
export interface AuditContext {
  readonly actor: {
    readonly kind: ActorKind;
    /** Whose own the credential is; null where it is no agent's. */
    readonly agentId: string | null;
  };
  /** The beginning of an API key's hash, or a token's `jti`; null where there is none to name. */
  readonly credential: string | null;
  /** Of the client; null where nothing trustworthy says so. */
  readonly address: string | null;
  readonly userAgent: string | null;
  readonly requestId: string | null;
}

/** What is done. */
export interface AuditAct {
  readonly action: AuditAction;
  readonly resource: { readonly type: ResourceType; readonly id: string };
  /** Null where it concerns no one store. */
  readonly storeId: string | null;
  readonly details: AuditDetails;
}

/** One entry of a tenant's audit log: the very object whose canonical JSON, without `hash`, is hashed. */
export interface AuditEntry {
  /** 1, 2, 3… of its tenant. */
  readonly sequence: number;
  /** UUID. */
  readonly id: string;
  readonly tenant_id: string;
  /** RFC 3339. */
  readonly recorded_at: string;
  readonly action: AuditAction;
  readonly actor: { readonly kind: ActorKind; readonly agent_id: string | null };
  readonly credential: string | null;
  readonly address: string | null;
  readonly user_agent: string | null;
  readonly request_id: string | null;
  readonly resource: AuditAct["resource"];
  readonly store_id: string | null;
  readonly details: AuditDetails;
  /** Lowercase hex; 64 zeros in the first entry. */
  readonly previous_hash: string;
  /** Lowercase hex. */
  readonly hash: string;
}

/** An entry that has no place in a chain yet. */
export type UnchainedEntry = Omit<AuditEntry, "sequence" | "previous_hash" | "hash">;

/** The acts of the sequencer itself. */
export const SYSTEM: AuditContext = {
  actor: { kind: "system", agentId: null },
  credential: null,
  address: null,
  userAgent: null,
  requestId: null,
};
