import type { AuditAct, AuditAction } from "../audit/entry.ts";
import { sha256, toHex, toRfc3339Offset, utf8 } from "../ves/index.ts";
import type { EncryptionKeyRegistration } from "./encryption-key-messages.ts";
import { hashPrefix } from "./hash-prefix.ts";
import type { AgentPolicy, ApiKeyOrigin, ApiKeyRecord, KeyRegistration, NewApiKey } from "./messages.ts";
import type { SchemaRecord, SchemaStatus } from "./schema-messages.ts";

/*
 * What the audit log says of the changes of a registry.
 */

export function agentKeyAct(
  action: AuditAction & `agent_key.${string}`,
  { agentId, keyId, publicKey, validFrom, validTo }: KeyRegistration & { readonly keyId: number },
): AuditAct {
  return {
    action,
    resource: { type: "agent_key", id: `${agentId}/${keyId}` },
    storeId: null,
    details: {
      agent_id: agentId,
      key_id: keyId,
      public_key: toHex(publicKey),
      valid_from: timeText(validFrom),
      valid_to: timeText(validTo),
    },
  };
}

export function encryptionKeyAct(
  action: AuditAction & `encryption_key.${string}`,
  { agentId, kid, publicKey, signingKeyId, validTo }: Omit<EncryptionKeyRegistration, "signature">,
): AuditAct {
  return {
    action,
    resource: { type: "encryption_key", id: `${agentId}/${kid}` },
    storeId: null,
    details: {
      agent_id: agentId,
      kid,
      public_key: toHex(publicKey),
      signing_key_id: signingKeyId,
      valid_to: timeText(validTo),
    },
  };
}

export function newApiKeyAct(key: NewApiKey, origin: ApiKeyOrigin): AuditAct {
  const { keyHash, agentId, permissions, storeIds, rateLimit, expiresAt } = key;
  const name = hashPrefix(keyHash);
  const isMinted = origin === "minted";
  return {
    action: isMinted ? "api_key.minted" : "agent.self_registered",
    resource: isMinted ? { type: "api_key", id: name } : { type: "agent", id: agentId },
    storeId: null,
    details: {
      agent_id: agentId,
      key_hash_prefix: name,
      permissions: (["read", "write", "admin"] as const).filter((permission) => permissions[permission]),
      store_ids: storeIds,
      rate_limit: rateLimit,
      expires_at: timeText(expiresAt),
    },
  };
}

export function apiKeyRevocationAct(key: ApiKeyRecord): AuditAct {
  const name = hashPrefix(key.keyHash);
  return {
    action: "api_key.revoked",
    resource: { type: "api_key", id: name },
    storeId: null,
    details: { agent_id: key.agentId, key_hash_prefix: name },
  };
}

export function agentPolicyAct(agentId: string, policy: AgentPolicy): AuditAct {
  return {
    action: "agent_policy.set",
    resource: { type: "agent_policy", id: agentId },
    storeId: null,
    details: {
      allowed_event_types: policy.allowedEventTypes,
      allowed_entity_types: policy.allowedEntityTypes,
      require_base_version: policy.requireBaseVersion,
      max_payload_bytes: policy.maxPayloadBytes,
      enabled: policy.enabled,
    },
  };
}

export function schemaAct(
  action: AuditAction & ("schema.registered" | "schema.deleted"),
  { schemaId, eventType, version, compatibility, schemaText }: SchemaRecord,
): AuditAct {
  return {
    action,
    resource: { type: "schema", id: schemaId },
    storeId: null,
    details: { event_type: eventType, version, compatibility, schema_sha256: toHex(sha256(utf8(schemaText))) },
  };
}

export function schemaStatusAct({ schemaId, eventType, version, status: from }: SchemaRecord, to: SchemaStatus) {
  return {
    action: "schema.status_set",
    resource: { type: "schema", id: schemaId },
    storeId: null,
    details: { event_type: eventType, version, from, to },
  } as const satisfies AuditAct;
}

function timeText(ms: number | null): string | null {
  return ms === null ? null : toRfc3339Offset(ms);
}
