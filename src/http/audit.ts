import { z } from "zod";
import { requirePermission, tenantOf } from "../access/principal.ts";
import type { AuditHead } from "../audit/chain.ts";
import { ACTOR_KINDS, AUDIT_ACTIONS, type AuditEntry, RESOURCE_TYPES } from "../audit/entry.ts";
import { auditHeadHash } from "../audit/signed-head.ts";
import type { StoredAuditEntry } from "../tenant/audit-messages.ts";
import { registryStub } from "../tenant/registry-client.ts";
import { toHex, toRfc3339Offset, uuidField } from "../ves/index.ts";
import type { AppContext } from "./context.ts";
import { endpoint } from "./endpoint.ts";
import { hexText, limitParam, numberParam, ownTenantQuery, timeText, uuidText } from "./schemas.ts";

const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 1_000;

const entryResponse = z
  .object({
    sequence: z.int().min(1).describe("1, 2, 3… of the tenant"),
    id: uuidText,
    tenant_id: uuidText,
    recorded_at: timeText,
    action: z.enum(AUDIT_ACTIONS),
    actor: z.object({
      kind: z.enum(ACTOR_KINDS).describe("public: no credential was shown; system: the sequencer itself"),
      agent_id: uuidText.nullable().describe("Whose own the credential is"),
    }),
    credential: z.string().nullable().describe("The beginning of an API key's hash, or a token's jti"),
    address: z.string().nullable().describe("Where the request came from"),
    user_agent: z.string().nullable(),
    request_id: z.string().nullable(),
    resource: z.object({ type: z.enum(RESOURCE_TYPES), id: z.string() }),
    store_id: uuidText.nullable(),
    details: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null(), z.array(z.string())])),
    previous_hash: hexText,
    hash: hexText.describe("SHA-256(STATESET_AUDIT_ENTRY_V1 ‖ previous_hash ‖ JCS(the entry without hash))"),
  })
  .meta({ id: "AuditEntry" });

const signedHead = z
  .object({
    tenant_id: uuidText,
    sequence: z.int().min(0).describe("Of the last entry; 0 when there is none"),
    hash: hexText.describe("Of the last entry, which covers all before it"),
    signed_at: timeText,
    key_version: z.int().describe("Which of the sequencer's keys has signed it"),
    signature: hexText.describe("Over SHA-256(STATESET_AUDIT_HEAD_V1 ‖ JCS(the head without signature))"),
  })
  .meta({ id: "AuditHead" });

/** What was done with privilege in a tenant. docs/audit.md says how it is verified. */
export const auditEndpoints = [
  endpoint({
    method: "GET",
    path: "/api/v1/audit",
    tag: "Audit",
    summary: "A tenant's audit log, from an entry on",
    description: `For administrators. The entries are chained by their hashes, and the head is signed: keep one, and an entry that is
changed or missing later can be proven. A filtered page looks through 10,000 entries at most: go on at \`next\` until it is null.`,
    query: ownTenantQuery.extend({
      from: numberParam(1, Number.MAX_SAFE_INTEGER).optional().describe("First entry wanted; 1 when absent"),
      limit: limitParam(1, MAX_LIMIT).optional().describe("Entries wanted, 100 when absent, at most 1000"),
      action: z.enum(AUDIT_ACTIONS).optional().describe("Only entries of this action"),
      agent_id: uuidField.optional().describe("Only entries of this agent's credentials"),
    }),
    response: z.object({
      entries: z.array(entryResponse),
      next: z.int().nullable().describe("Where to continue; null at the end of the log"),
      head: signedHead,
    }),
    handle: async (c, { query }) => {
      const tenantId = tenantOf(c.get("principal"), query.tenant_id);
      requirePermission(c.get("principal"), "admin", tenantId);
      const { entries, next, head } = await registryStub(c.env, tenantId).auditPage({
        from: query.from ?? 1,
        limit: query.limit ?? DEFAULT_LIMIT,
        action: query.action,
        agentId: query.agent_id,
      });
      return { entries: entries.map(entryJson), next, head: await headJson(c, tenantId, head) };
    },
  }),
];

function entryJson({ text, hash }: StoredAuditEntry): AuditEntry {
  return { ...(JSON.parse(text) as Omit<AuditEntry, "hash">), hash };
}

async function headJson(
  c: AppContext,
  tenantId: string,
  { sequence, hash }: AuditHead,
): Promise<z.output<typeof signedHead>> {
  const { version, key } = c.get("config").receiptKeys.current;
  const signedAt = toRfc3339Offset(Date.now());
  const head = { tenant_id: tenantId, sequence, hash, signed_at: signedAt, key_version: version };
  return { ...head, signature: toHex(await key.sign(auditHeadHash(head))) };
}
