import { z } from "zod";
import { apiKeyHash, mintApiKey } from "../access/api-key.ts";
import { grantableKey } from "../access/minting.ts";
import { forbidden, requireAgentOrAdmin, tenantOf } from "../access/principal.ts";
import { RequestError } from "../errors.ts";
import { hashPrefix } from "../tenant/hash-prefix.ts";
import { registryStub } from "../tenant/registry-client.ts";
import { MAX_API_KEYS_PER_AGENT } from "../tenant/registry.ts";
import { timeField } from "../fields.ts";
import { uuidField } from "../ves/index.ts";
import {
  apiKeyJson,
  apiKeyResponse,
  describePermissions,
  MAX_RATE_LIMIT,
  permissionsText,
  rateLimitOrNull,
} from "./api-key-json.ts";
import { auditContext } from "./audit-context.ts";
import { endpoint } from "./endpoint.ts";
import { agentParams, ownTenantQuery, timeOrNull, timeText } from "./schemas.ts";

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
    rateLimit: z
      .int()
      .min(1)
      .max(MAX_RATE_LIMIT)
      .nullish()
      .describe(
        "Requests in RATE_LIMIT_WINDOW_SECONDS, a minute unless set otherwise; absent: the caller's own limit, none for an administrator. A key shares the limit of the one that minted it, unless that is an administrator's",
      ),
  })
  .meta({ id: "ApiKeyRequest", description: "Member names may also be given in snake_case" });

const minted = z.object({
  success: z.literal(true),
  apiKey: z.string().describe("Shown this once: only its hash is stored"),
  keyHashPrefix: z.string(),
  permissions: permissionsText,
  rateLimit: rateLimitOrNull,
  expiresAt: timeText.nullable(),
  message: z.string(),
});

const keyList = z.object({ keys: z.array(apiKeyResponse), count: z.int() });

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
      const wish = {
        admin: body.admin ?? null,
        readOnly: body.readOnly ?? null,
        storeIds: body.storeIds ?? null,
        rateLimit: body.rateLimit ?? null,
        expiresAt: body.expiresAt ?? null,
      };
      const grant = grantableKey(caller, wish, Date.now());
      const key = mintApiKey(tenantId);
      const keyHash = apiKeyHash(key);
      const newKey = { keyHash, agentId: params.agent_id, ...grant };
      const isAdded = await registryStub(c.env, tenantId).addApiKey(newKey, auditContext(c));
      if (!isAdded) {
        throw new RequestError(
          "LIMIT_REACHED",
          `An agent may have ${MAX_API_KEYS_PER_AGENT} API keys: revoke one first`,
        );
      }
      return {
        success: true,
        apiKey: key,
        keyHashPrefix: hashPrefix(keyHash),
        permissions: describePermissions(grant.permissions),
        rateLimit: grant.rateLimit,
        expiresAt: timeOrNull(grant.expiresAt),
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
      return { keys: keys.map((key) => apiKeyJson(key, Date.now())), count: keys.length };
    },
  }),
  endpoint({
    method: "DELETE",
    path: "/api/v1/agents/{agent_id}/api-keys/{key_prefix}",
    tag: "API keys",
    summary: "Revoke an API key",
    description:
      "It stops working everywhere within API_KEY_CACHE_TTL_SECS (15 s unless set otherwise). Repeating it is safe. An agent's own credential can revoke those of its keys that may do no more than itself.",
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
      const caller = c.get("principal");
      const tenantId = tenantOf(caller, query.tenant_id);
      requireAgentOrAdmin(caller, tenantId, params.agent_id);
      const { permissions, storeIds } = caller;
      const reach = permissions.admin ? null : { permissions, storeIds };
      const request = { agentId: params.agent_id, prefix: params.key_prefix, reach };
      const result = await registryStub(c.env, tenantId).revokeApiKey(request, auditContext(c));
      if (result.kind === "not_found") {
        throw new RequestError("API_KEY_NOT_FOUND", "The agent has no API key whose hash begins like this");
      }
      if (result.kind === "ambiguous") {
        throw new RequestError("ALREADY_EXISTS", "Several API keys of the agent begin like this: give more digits");
      }
      if (result.kind === "beyond_reach")
        throw forbidden("This credential cannot revoke a key that may do more than itself");
      return { success: true, message: "The API key is revoked" };
    },
  }),
];
