import { tenantMigrations } from "../../migrations/tenant/index.ts";
import { isEmptyStore, migrate } from "../storage/migrate.ts";
import { blob, integer, integerOrNull, type SqlRow, type SqlStore } from "../storage/sql-store.ts";
import { agentKeyProblem, equalBytes, uuidBytes, uuidFromBytes } from "../ves/index.ts";
import { type Change, recordAct } from "./audit-log.ts";
import { encryptionKeyAct } from "./audited-acts.ts";
import type {
  EncryptionKeyRegistration,
  EncryptionKeyResult,
  RegisteredEncryptionKey,
} from "./encryption-key-messages.ts";
import { agentKeys } from "./registry.ts";

/** Revoked keys count, because stored events name them. A directory of 1,000 keys is an answer of 400 KB. */
export const MAX_ENCRYPTION_KEYS_PER_AGENT = 1_000;

/*
 * The keys of one tenant's agents that payloads are encrypted to. No event is accepted or refused because of them, so they are
 * not under the registry's version.
 */

/** The keys of an agent, newest first; revoked and expired ones included. */
export function encryptionKeysOf(store: SqlStore, agentId: string): RegisteredEncryptionKey[] {
  if (isEmptyStore(store)) return [];
  return store
    .exec("SELECT * FROM encryption_keys WHERE agent_id = ? ORDER BY created_at DESC, kid", uuidBytes(agentId))
    .map(fromRow);
}

/**
 * Registers a key. The very same key again is no second one: a statement that was signed later, which may name another signing
 * key or another end, takes the place of the old one. Whoever kept an older one can bring nothing back with it.
 */
export function registerEncryptionKey(
  store: SqlStore,
  key: EncryptionKeyRegistration,
  change: Change,
): EncryptionKeyResult {
  const { now } = change;
  return store.transaction((): EncryptionKeyResult => {
    migrate(store, tenantMigrations);
    const signingKey = agentKeys(store, key.agentId).find(({ keyId }) => keyId === key.signingKeyId);
    if (agentKeyProblem(signingKey, now) !== undefined) return { kind: "signing_key_unusable" };
    const present = findKey(store, key.kid);
    if (present !== undefined) {
      const isSame = present.agentId === key.agentId && equalBytes(present.publicKey, key.publicKey);
      if (!isSame || present.revokedAt !== null) return { kind: "kid_taken" };
      if (equalBytes(present.signature, key.signature)) return { kind: "registered" };
      if (key.signedAt <= present.signedAt) return { kind: "outdated" };
      store.exec(
        "UPDATE encryption_keys SET signing_key_id = ?, signature = ?, valid_to = ?, signed_at = ? WHERE kid = ?",
        key.signingKeyId,
        key.signature,
        key.validTo,
        key.signedAt,
        key.kid,
      );
      const saysTheSame = present.signingKeyId === key.signingKeyId && present.validTo === key.validTo;
      if (!saysTheSame) recordAct(store, change, encryptionKeyAct("encryption_key.registered", key));
      return { kind: "registered" };
    }
    const limit = MAX_ENCRYPTION_KEYS_PER_AGENT;
    const [held] = store.exec(
      "SELECT COUNT(*) AS count FROM encryption_keys WHERE agent_id = ?",
      uuidBytes(key.agentId),
    );
    if (integer(held?.["count"]) >= limit) return { kind: "too_many_keys", limit };
    store.exec(
      `INSERT INTO encryption_keys
         (kid, agent_id, public_key, signing_key_id, signature, signed_at, created_at, valid_to, revoked_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL)`,
      key.kid,
      uuidBytes(key.agentId),
      key.publicKey,
      key.signingKeyId,
      key.signature,
      key.signedAt,
      now,
      key.validTo,
    );
    recordAct(store, change, encryptionKeyAct("encryption_key.registered", key));
    return { kind: "registered" };
  });
}

/** Revokes a key, once: repeating it leaves the time of the first revocation. Null when the agent has no such key. */
export function revokeEncryptionKey(
  store: SqlStore,
  agentId: string,
  kid: number,
  change: Change,
): RegisteredEncryptionKey | null {
  if (isEmptyStore(store)) return null;
  return store.transaction(() => {
    const key = findKey(store, kid);
    if (key?.agentId !== agentId) return null;
    if (key.revokedAt !== null) return key;
    store.exec("UPDATE encryption_keys SET revoked_at = ? WHERE kid = ?", change.now, kid);
    recordAct(store, change, encryptionKeyAct("encryption_key.revoked", key));
    return { ...key, revokedAt: change.now };
  });
}

function findKey(store: SqlStore, kid: number): RegisteredEncryptionKey | undefined {
  return store.exec("SELECT * FROM encryption_keys WHERE kid = ?", kid).map(fromRow)[0];
}

function fromRow(row: SqlRow): RegisteredEncryptionKey {
  return {
    kid: integer(row["kid"]),
    agentId: uuidFromBytes(blob(row["agent_id"])),
    publicKey: blob(row["public_key"]),
    signingKeyId: integer(row["signing_key_id"]),
    signature: blob(row["signature"]),
    signedAt: integer(row["signed_at"]),
    createdAt: integer(row["created_at"]),
    validTo: integerOrNull(row["valid_to"]),
    revokedAt: integerOrNull(row["revoked_at"]),
  };
}
