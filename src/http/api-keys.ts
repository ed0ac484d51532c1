import { z } from "zod";
import { apiKeyHash, mintApiKey } from "../access/api-key.ts";
import { forbidden, type Principal, requireAgentOrAdmin, tenantOf } from "../access/principal.ts";
import { RequestError } from "../errors.ts";
import type { ApiKeyRecord, Permissions } from "../tenant/messages.ts";
import { registryStub } from "../tenant/registry-client.ts";
import { MAX_API_KEYS_PER_AGENT } from "../tenant/registry.ts";
import { timeField } from "../fields.ts";
import { toRfc3339Offset, uuidField } from "../ves/index.ts";
import { endpoint } from "./endpoint.ts";
import { agentParams, ownTenantQuery, timeOrNull, timeText } from "./schemas.ts";

/** Hex digits of a key's hash that name it among the keys of its agent. */
const HASH_PREFIX_LENGTH = 16;

const minting = z
  .object({
    tenantId: uuidField.nullish().describe("Needed from the bootstrap administrator, who belongs to no tenant"),
    storeIds: z
      .array(uuidField)
      .max(50)
      .nullish()
      .describe("Absent: the caller's own stores, all for an administrator"),
    readOnly: z.boolean().nullish(),
    admin: z.boolean().nullish(),
    expiresAt: timeField.nullish().describe("RFC 3339; the key never expires when absent"),
    rateLimit: z.undefined({ error: "rate limits for single keys are not served yet: leave it out" }).optional(),
  })
  .meta({ id: "ApiKeyRequest", description: "Member names may also be given in snake_case" });

const permissionsText = z.enum(["admin", "read_write", "read", "write"]);

const minted = z.object({
  success: z.literal(true),
  apiKey: z.string().describe("Shown this once: only its hash is stored"),
  keyHashPrefix: z.string(),
  permissions: permissionsText,
  expiresAt: timeText.nullable(),
  message: z.string(),
});

const keyList = z.object({
  keys: z.array(
    z.object({
      keyHashPrefix: z.string(),
      active: z.boolean(),
      permissions: permissionsText,
      storeIds: z.array(z.string()).nullable(),
      rateLimit: z.null(),
      createdAt: timeText,
      expiresAt: timeText.nullable(),
      revokedAt: timeText.nullable(),
    }),
  ),
  count: z.int(),
});

/** API keys of agents: minted by an administrator, or by the agent for itself with no more than it has. */
export const apiKeyEndpoints = [
  endpoint({
    method: "POST",
    path: "/api/v1/agents/{agent_id}/api-keys",
    tag: "API keys",
    summary: "Mint an API key for an agent",
    params: agentParams,
    body: minting,
    response: minted,
    errors: [409],
    handle: async (c, { params, body }) => {
      const caller = c.get("principal");
      const tenantId = tenantOf(caller, body.tenantId ?? undefined);
      requireAgentOrAdmin(caller, tenantId, params.agent_id);
      const expiresAt = expiryToMint(caller, body.expiresAt ?? null, Date.now());
      const permissions = permissionsToMint(caller, body);
      const key = mintApiKey(tenantId);
      const keyHash = apiKeyHash(key);
      const isAdded = await registryStub(c.env, tenantId).addApiKey({
        keyHash,
        agentId: params.agent_id,
        storeIds: storesToMint(caller, body.storeIds ?? null),
        permissions,
        expiresAt,
      });
      if (!isAdded) {
        throw new RequestError(
          "LIMIT_REACHED",
          `An agent may have ${MAX_API_KEYS_PER_AGENT} API keys: revoke one first`,
        );
      }
      return {
        success: true,
        apiKey: key,
        keyHashPrefix: keyHash.slice(0, HASH_PREFIX_LENGTH),
        permissions: describe(permissions),
        expiresAt: timeOrNull(expiresAt),
        message: "Keep the key: it is not shown again",
      };
    },
  }),
  endpoint({
    method: "GET",
    path: "/api/v1/agents/{agent_id}/api-keys",
    tag: "API keys",
    summary: "List the API keys of an agent",
    params: agentParams,
    query: ownTenantQuery,
    response: keyList,
    handle: async (c, { params, query }) => {
      const tenantId = tenantOf(c.get("principal"), query.tenant_id);
      requireAgentOrAdmin(c.get("principal"), tenantId, params.agent_id);
      const keys = await registryStub(c.env, tenantId).apiKeys(params.agent_id);
      return { keys: keys.map((key) => keyJson(key, Date.now())), count: keys.length };
    },
  }),
  endpoint({
    method: "DELETE",
    path: "/api/v1/agents/{agent_id}/api-keys/{key_prefix}",
    tag: "API keys",
    summary: "Revoke an API key",
    description:
      "It stops working everywhere within API_KEY_CACHE_TTL_SECS (15 s unless set otherwise). Repeating it is safe.",
    params: agentParams.extend({
      key_prefix: z
        .string()
        .regex(/^[0-9a-f]{8,64}$/, "expected 8 to 64 lowercase hex digits")
        .describe("The beginning of the key's hash, as listed"),
    }),
    query: ownTenantQuery,
    response: z.object({ success: z.literal(true), message: z.string() }),
    errors: [404, 409],
    handle: async (c, { params, query }) => {
      const tenantId = tenantOf(c.get("principal"), query.tenant_id);
      requireAgentOrAdmin(c.get("principal"), tenantId, params.agent_id);
      const result = await registryStub(c.env, tenantId).revokeApiKey(params.agent_id, params.key_prefix);
      if (result.kind === "not_found") {
        throw new RequestError("API_KEY_NOT_FOUND", "The agent has no API key whose hash begins like this");
      }
      if (result.kind === "ambiguous") {
        throw new RequestError("ALREADY_EXISTS", "Several API keys of the agent begin like this: give more digits");
      }
      return { success: true, message: "The API key is revoked" };
    },
  }),
];

/** An administrator gives what it likes; anyone else at most what it has itself. */
function permissionsToMint(
  caller: Principal,
  { admin, readOnly }: { readonly admin?: boolean | null | undefined; readonly readOnly?: boolean | null | undefined },
): Permissions {
  const { permissions } = caller;
  if (admin === true) {
    if (!permissions.admin) throw forbidden("Only an administrator can mint an administrator's key");
    return { read: true, write: true, admin: true };
  }
  const write = !(readOnly ?? !(permissions.admin || permissions.write));
  if (write && !permissions.admin && !permissions.write)
    throw forbidden("This credential cannot give write permission");
  return { read: true, write, admin: false };
}

function storesToMint(caller: Principal, storeIds: readonly string[] | null): readonly string[] | null {
  if (caller.storeIds === null) return storeIds === null || storeIds.length === 0 ? null : storeIds;
  if (storeIds === null) return caller.storeIds;
  const own = caller.storeIds;
  if (storeIds.length === 0 || !storeIds.every((id) => own.includes(id))) {
    throw forbidden("This credential can only give its own stores");
  }
  return storeIds;
}

/** A credential that ends cannot outlive itself by minting another. */
function expiryToMint(caller: Principal, expiresAt: number | null, now: number): number | null {
  if (expiresAt !== null && expiresAt <= now) {
    throw new RequestError("INVALID_FIELD_VALUE", "expiresAt lies in the past");
  }
  if (caller.expiresAt === null) return expiresAt;
  if (expiresAt !== null && expiresAt > caller.expiresAt) {
    throw forbidden("This credential cannot give a key that outlives it");
  }
  return expiresAt ?? caller.expiresAt;
}

function keyJson(key: ApiKeyRecord, now: number) {
  return {
    keyHashPrefix: key.keyHash.slice(0, HASH_PREFIX_LENGTH),
    active: key.revokedAt === null && (key.expiresAt === null || key.expiresAt > now),
    permissions: describe(key.permissions),
    storeIds: key.storeIds,
    rateLimit: null,
    createdAt: toRfc3339Offset(key.createdAt),
    expiresAt: timeOrNull(key.expiresAt),
    revokedAt: timeOrNull(key.revokedAt),
  };
}

function describe({ read, write, admin }: Permissions): z.output<typeof permissionsText> {
  if (admin) return "admin";
  if (read && write) return "read_write";
  return write ? "write" : "read";
}
