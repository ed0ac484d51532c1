import { z } from "zod";
import { requirePermission } from "../access/principal.ts";
import { RequestError } from "../errors.ts";
import type { AgentPolicy } from "../tenant/messages.ts";
import { isTypeRule } from "../tenant/policy.ts";
import { registryStub } from "../tenant/registry-client.ts";
import { utf8, uuidField } from "../ves/index.ts";
import { auditContext } from "./audit-context.ts";
import { endpoint } from "./endpoint.ts";
import { agentParams, uuidText } from "./schemas.ts";

const MAX_RULES = 128;
const MAX_EVENT_RULE_BYTES = 256;
const MAX_ENTITY_RULE_BYTES = 128;
const MAX_POLICY_PAYLOAD_BYTES = 10 * 1024 * 1024;

const policyBody = z.object({
  tenantId: uuidField,
  allowedEventTypes: z.array(z.string()).default([]).describe("Names, * or a prefix followed by *; empty allows none"),
  allowedEntityTypes: z.array(z.string()).default([]).describe("Names, * or a prefix followed by *; empty allows none"),
  requireBaseVersion: z.boolean().default(true).describe("Except for events that end in .created"),
  maxPayloadBytes: z.number().nullish().describe("1 to 10485760; absent for the server's own limit"),
  enabled: z.boolean().default(true),
});

const policyResponse = z.object({
  tenantId: uuidText,
  agentId: uuidText,
  allowedEventTypes: z.array(z.string()),
  allowedEntityTypes: z.array(z.string()),
  requireBaseVersion: z.boolean(),
  maxPayloadBytes: z.int().nullable(),
  enabled: z.boolean(),
});

/** What an agent may record. */
export const policyEndpoints = [
  endpoint({
    method: "GET",
    path: "/api/v1/agents/{agent_id}/policy",
    tag: "Agent policies",
    summary: "What an agent may record",
    params: agentParams,
    query: z.object({ tenant_id: uuidField }),
    response: policyResponse,
    errors: [404],
    handle: async (c, { params, query }) => {
      requirePermission(c.get("principal"), "read", query.tenant_id);
      const policy = await registryStub(c.env, query.tenant_id).policy(params.agent_id);
      if (policy === null) throw new RequestError("POLICY_NOT_FOUND", "Agent policy not found");
      return { tenantId: query.tenant_id, agentId: params.agent_id, ...policy };
    },
  }),
  endpoint({
    method: "PUT",
    path: "/api/v1/agents/{agent_id}/policy",
    tag: "Agent policies",
    summary: "Set what an agent may record",
    description: "It holds for every append that starts after the answer, which takes up to about two seconds.",
    params: agentParams,
    body: policyBody,
    response: policyResponse,
    handle: async (c, { params, body }) => {
      requirePermission(c.get("principal"), "admin", body.tenantId);
      const maxPayloadBytes = body.maxPayloadBytes ?? null;
      if (maxPayloadBytes !== null && !isPayloadLimit(maxPayloadBytes)) {
        throw new RequestError("INVALID_FIELD_VALUE", `maxPayloadBytes must be 1 to ${MAX_POLICY_PAYLOAD_BYTES}`);
      }
      const policy: AgentPolicy = {
        allowedEventTypes: rules("allowedEventTypes", body.allowedEventTypes, MAX_EVENT_RULE_BYTES),
        allowedEntityTypes: rules("allowedEntityTypes", body.allowedEntityTypes, MAX_ENTITY_RULE_BYTES),
        requireBaseVersion: body.requireBaseVersion,
        maxPayloadBytes,
        enabled: body.enabled,
      };
      await registryStub(c.env, body.tenantId).putPolicy(params.agent_id, policy, auditContext(c));
      return { tenantId: body.tenantId, agentId: params.agent_id, ...policy };
    },
  }),
];

function isPayloadLimit(bytes: number): boolean {
  return Number.isInteger(bytes) && bytes >= 1 && bytes <= MAX_POLICY_PAYLOAD_BYTES;
}

/** Sorted and without repetitions. */
function rules(member: string, list: readonly string[], maxBytes: number): string[] {
  if (list.length > MAX_RULES) throw new RequestError("INVALID_FIELD_VALUE", `${member} may hold ${MAX_RULES} rules`);
  for (const rule of list) {
    if (!isTypeRule(rule)) {
      const message = `${member}: ${JSON.stringify(rule)} is neither a name, nor *, nor a prefix followed by *`;
      throw new RequestError("INVALID_FIELD_VALUE", message);
    }
    if (utf8(rule).length > maxBytes) {
      throw new RequestError("INVALID_FIELD_VALUE", `${member}: a rule may have ${maxBytes} bytes`);
    }
  }
  return [...new Set(list)].toSorted();
}
