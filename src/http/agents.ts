import { z } from "zod";
import { requireAgentOrAdmin, tenantOf } from "../access/principal.ts";
import { RequestError } from "../errors.ts";
import type { ApiKeyRecord } from "../tenant/messages.ts";
import { registryStub } from "../tenant/registry-client.ts";
import { isActive, rateLimitOrNull } from "./api-key-json.ts";
import { endpoint } from "./endpoint.ts";
import { agentParams, ownTenantQuery, uuidText } from "./schemas.ts";

/** What is known of an agent. */
export const agentEndpoints = [
  endpoint({
    method: "GET",
    path: "/api/v1/agents/{agent_id}",
    tag: "API keys",
    summary: "What an agent may do, by the API key of it that was minted or revoked last",
    params: agentParams,
    query: ownTenantQuery,
    response: z.object({
      agentId: uuidText,
      tenantId: uuidText,
      active: z.boolean().describe("false: that key is revoked or has expired"),
      permissions: z.enum(["admin", "read_write", "read"]),
      storeIds: z.array(uuidText).describe("Empty: all stores of the tenant"),
      rateLimit: rateLimitOrNull,
    }),
    errors: [404],
    handle: async (c, { params, query }) => {
      const agentId = params.agent_id;
      const tenantId = tenantOf(c.get("principal"), query.tenant_id);
      requireAgentOrAdmin(c.get("principal"), tenantId, agentId);
      const keys = await registryStub(c.env, tenantId).apiKeys(agentId);
      const [key] = keys.toSorted((a, b) => changedAt(b) - changedAt(a));
      if (key === undefined) throw new RequestError("RESOURCE_NOT_FOUND", "There is no such agent with an API key");
      const { permissions, storeIds, rateLimit } = key;
      return {
        agentId,
        tenantId,
        active: isActive(key, Date.now()),
        permissions: permissions.admin ? "admin" : permissions.write ? "read_write" : "read",
        storeIds: storeIds ?? [],
        rateLimit,
      };
    },
  }),
];

function changedAt({ createdAt, revokedAt }: ApiKeyRecord): number {
  return revokedAt ?? createdAt;
}
