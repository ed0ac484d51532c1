import { tenantMigrations } from "../../migrations/tenant/index.ts";
import { isEmptyStore, migrate } from "../storage/migrate.ts";
import {
  blob,
  blobOrNull,
  integer,
  integerOrNull,
  type SqlRow,
  type SqlStore,
  text,
  textOrNull,
} from "../storage/sql-store.ts";
import { equalBytes, fromHex, toHex, uuidBytes, uuidFromBytes } from "../ves/index.ts";
import { agentKeyAct, agentPolicyAct, apiKeyRevocationAct, newApiKeyAct } from "./audited-acts.ts";
import { type Change, recordAct } from "./audit-log.ts";
import type {
  AgentPolicy,
  AgentSnapshot,
  ApiKeyOrigin,
  ApiKeyRecord,
  ApiKeyReach,
  ApiKeyRevocation,
  ApiKeyRevocationRequest,
  KeyRegistration,
  KeyRegistrationResult,
  NewApiKey,
  RegisteredKey,
} from "./messages.ts";

/** Revoked keys count, because stored events name them. A snapshot carries all: 1,000 keys are 200 KB. */
export const MAX_KEYS_PER_AGENT = 1_000;

/** Keys that can still be used; revoked and expired ones are removed when there is no room for a new one. */
export const MAX_API_KEYS_PER_AGENT = 100;

/** A key id is 32 bits wide in the signed hash (VES 2.5). */
export const MAX_KEY_ID = 2 ** 32 - 1;

/*
 * The registry of one tenant, written against a SqlStore. Reading one that was never written to writes nothing.
 *
 * Whatever decides if an event may be accepted (keys, policies, schemas) is under the version: each change of it raises
 * the version in the same transaction. Each change of what anybody may do is entered in the audit log, in the same
 * transaction too; a repetition that changes nothing is not.
 */

/** Rises with every change of a key, policy or schema; 0 for a registry that was never written to. */
export function registryVersion(store: SqlStore): number {
  if (isEmptyStore(store)) return 0;
  return integer(store.exec("SELECT version FROM registry_state")[0]?.["version"]);
}

export function agentSnapshot(store: SqlStore, agentId: string): AgentSnapshot {
  return {
    version: registryVersion(store),
    keys: agentKeys(store, agentId),
    policy: agentPolicy(store, agentId),
  };
}

/** Keys of one agent, or of all, by agent and key id; revoked and expired ones included. */
export function agentKeys(store: SqlStore, agentId?: string): RegisteredKey[] {
  if (isEmptyStore(store)) return [];
  const columns = "agent_id, key_id, public_key, created_at, valid_from, valid_to, revoked_at";
  const rows =
    agentId === undefined
      ? store.exec(`SELECT ${columns} FROM agent_keys ORDER BY agent_id, key_id`)
      : store.exec(`SELECT ${columns} FROM agent_keys WHERE agent_id = ? ORDER BY key_id`, uuidBytes(agentId));
  return rows.map((row) => ({
    agentId: uuidFromBytes(blob(row["agent_id"])),
    keyId: integer(row["key_id"]),
    publicKey: blob(row["public_key"]),
    createdAt: integer(row["created_at"]),
    validFrom: integerOrNull(row["valid_from"]),
    validTo: integerOrNull(row["valid_to"]),
    revokedAt: integerOrNull(row["revoked_at"]),
  }));
}

export function registerKey(store: SqlStore, key: KeyRegistration, change: Change): KeyRegistrationResult {
  return store.transaction((): KeyRegistrationResult => {
    migrate(store, tenantMigrations);
    const present = agentKeys(store, key.agentId);
    const same = present.find((other) => other.revokedAt === null && equalBytes(other.publicKey, key.publicKey));
    // Asked again after a lost answer, it must not become a second key that outlives the revocation of the first.
    if (key.keyId === null && same !== undefined) return { kind: "key_exists", keyId: same.keyId };
    const taken = present.map(({ keyId }) => keyId);
    if (taken.length >= MAX_KEYS_PER_AGENT) return { kind: "too_many_keys", limit: MAX_KEYS_PER_AGENT };
    const keyId = key.keyId ?? nextFreeKeyId(taken);
    if (taken.includes(keyId)) return { kind: "key_exists", keyId };
    store.exec(
      `INSERT INTO agent_keys (agent_id, key_id, public_key, created_at, valid_from, valid_to, revoked_at)
       VALUES (?, ?, ?, ?, ?, ?, NULL)`,
      uuidBytes(key.agentId),
      keyId,
      key.publicKey,
      change.now,
      key.validFrom,
      key.validTo,
    );
    raiseVersion(store);
    recordAct(store, change, agentKeyAct("agent_key.registered", { ...key, keyId }));
    return { kind: "registered", keyId };
  });
}

/** Revokes a key, once: repeating it leaves the time of the first revocation. Null when there is no such key. */
export function revokeKey(store: SqlStore, agentId: string, keyId: number, change: Change): RegisteredKey | null {
  if (isEmptyStore(store)) return null;
  return store.transaction(() => {
    const key = agentKeys(store, agentId).find((candidate) => candidate.keyId === keyId);
    if (key === undefined || key.revokedAt !== null) return key ?? null;
    store.exec(
      "UPDATE agent_keys SET revoked_at = ? WHERE agent_id = ? AND key_id = ?",
      change.now,
      uuidBytes(agentId),
      keyId,
    );
    raiseVersion(store);
    recordAct(store, change, agentKeyAct("agent_key.revoked", key));
    return { ...key, revokedAt: change.now };
  });
}

export function agentPolicy(store: SqlStore, agentId: string): AgentPolicy | null {
  if (isEmptyStore(store)) return null;
  const [row] = store.exec("SELECT policy FROM agent_policies WHERE agent_id = ?", uuidBytes(agentId));
  return row === undefined ? null : (JSON.parse(text(row["policy"])) as AgentPolicy);
}

/** Setting the policy that it has changes nothing. */
export function putAgentPolicy(store: SqlStore, agentId: string, policy: AgentPolicy, change: Change): void {
  store.transaction(() => {
    migrate(store, tenantMigrations);
    const policyText = JSON.stringify(policy);
    if (JSON.stringify(agentPolicy(store, agentId)) === policyText) return;
    store.exec(
      `INSERT INTO agent_policies (agent_id, policy, updated_at) VALUES (?, ?, ?)
         ON CONFLICT (agent_id) DO UPDATE SET policy = excluded.policy, updated_at = excluded.updated_at`,
      uuidBytes(agentId),
      policyText,
      change.now,
    );
    raiseVersion(store);
    recordAct(store, change, agentPolicyAct(agentId, policy));
  });
}

/** Stores a minted key. False when the agent has as many as it may. */
export function addApiKey(store: SqlStore, key: NewApiKey, change: Change, origin: ApiKeyOrigin = "minted"): boolean {
  const { now } = change;
  return store.transaction(() => {
    migrate(store, tenantMigrations);
    const present = apiKeysOf(store, key.agentId);
    if (present.length >= MAX_API_KEYS_PER_AGENT) {
      const gone = present.filter((other) => other.revokedAt !== null || (other.expiresAt ?? Infinity) <= now);
      for (const { keyHash } of gone) store.exec("DELETE FROM api_keys WHERE key_hash = ?", fromHex(keyHash));
      if (gone.length === 0) return false;
    }
    store.exec(
      `INSERT INTO api_keys
         (key_hash, agent_id, store_ids, can_read, can_write, can_admin, rate_limit, limit_key_hash, created_at, expires_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      fromHex(key.keyHash),
      uuidBytes(key.agentId),
      key.storeIds === null ? null : JSON.stringify(key.storeIds),
      Number(key.permissions.read),
      Number(key.permissions.write),
      Number(key.permissions.admin),
      key.rateLimit,
      key.limitKeyHash === null ? null : fromHex(key.limitKeyHash),
      now,
      key.expiresAt,
    );
    recordAct(store, change, newApiKeyAct(key, origin));
    return true;
  });
}

/** An API key by the hash of its text, revoked and expired ones included. */
export function findApiKey(store: SqlStore, keyHash: string): ApiKeyRecord | null {
  if (isEmptyStore(store)) return null;
  const [row] = store.exec("SELECT * FROM api_keys WHERE key_hash = ?", fromHex(keyHash));
  return row === undefined ? null : apiKeyFromRow(row);
}

/** The API keys of an agent, oldest first. */
export function apiKeysOf(store: SqlStore, agentId: string): ApiKeyRecord[] {
  if (isEmptyStore(store)) return [];
  return store
    .exec("SELECT * FROM api_keys WHERE agent_id = ? ORDER BY created_at, key_hash", uuidBytes(agentId))
    .map(apiKeyFromRow);
}

/**
 * Revokes the one API key of the agent whose hash begins with `prefix` (lowercase hex), if it may do no more than `reach`;
 * null: whatever it may do.
 */
export function revokeApiKey(
  store: SqlStore,
  { agentId, prefix, reach }: ApiKeyRevocationRequest,
  change: Change,
): ApiKeyRevocation {
  const matches = apiKeysOf(store, agentId).filter(({ keyHash }) => keyHash.startsWith(prefix));
  const [key] = matches;
  if (key === undefined) return { kind: "not_found" };
  if (matches.length > 1) return { kind: "ambiguous" };
  if (reach !== null && !isWithin(key, reach)) return { kind: "beyond_reach" };
  if (key.revokedAt !== null) return { kind: "revoked", key };
  store.transaction(() => {
    store.exec("UPDATE api_keys SET revoked_at = ? WHERE key_hash = ?", change.now, fromHex(key.keyHash));
    recordAct(store, change, apiKeyRevocationAct(key));
  });
  return { kind: "revoked", key: { ...key, revokedAt: change.now } };
}

function isWithin({ permissions, storeIds }: ApiKeyReach, reach: ApiKeyReach): boolean {
  const may = (["read", "write", "admin"] as const).every((name) => reach.permissions[name] || !permissions[name]);
  return may && (reach.storeIds === null || (storeIds?.every((id) => reach.storeIds?.includes(id)) ?? false));
}

export function hasStore(store: SqlStore, storeId: string): boolean {
  if (isEmptyStore(store)) return false;
  return store.exec("SELECT 1 FROM stores WHERE store_id = ?", uuidBytes(storeId)).length > 0;
}

/** Records that a store exists. True when it was not known before; repeating it changes nothing. */
export function addStore(store: SqlStore, storeId: string, now: number): boolean {
  return store.transaction(() => {
    migrate(store, tenantMigrations);
    if (hasStore(store, storeId)) return false;
    store.exec("INSERT INTO stores (store_id, created_at) VALUES (?, ?)", uuidBytes(storeId), now);
    return true;
  });
}

/** One above the highest, so that an id is not given again; only when there is none above, the lowest gap. */
function nextFreeKeyId(taken: readonly number[]): number {
  const next = Math.max(0, ...taken) + 1;
  if (next <= MAX_KEY_ID) return next;
  return Array.from({ length: taken.length + 1 }, (_, index) => index + 1).find((id) => !taken.includes(id)) ?? next;
}

/** To be called in the transaction of every change of what may be accepted. */
export function raiseVersion(store: SqlStore): void {
  store.exec("UPDATE registry_state SET version = version + 1");
}

function apiKeyFromRow(row: SqlRow): ApiKeyRecord {
  const storeIds = textOrNull(row["store_ids"]);
  const limitKeyHash = blobOrNull(row["limit_key_hash"]);
  return {
    keyHash: toHex(blob(row["key_hash"])),
    agentId: uuidFromBytes(blob(row["agent_id"])),
    storeIds: storeIds === null ? null : (JSON.parse(storeIds) as string[]),
    permissions: { read: row["can_read"] === 1, write: row["can_write"] === 1, admin: row["can_admin"] === 1 },
    rateLimit: integerOrNull(row["rate_limit"]),
    limitKeyHash: limitKeyHash === null ? null : toHex(limitKeyHash),
    createdAt: integer(row["created_at"]),
    expiresAt: integerOrNull(row["expires_at"]),
    revokedAt: integerOrNull(row["revoked_at"]),
  };
}
