import { z } from "zod";
import { apiKeyHash, mintApiKey } from "../access/api-key.ts";
import { clientOf } from "../access/client-address.ts";
import { type ErrorCode, RequestError } from "../errors.ts";
import { takeOfClient } from "../limits/client-limit.ts";
import { registryStub } from "../tenant/registry-client.ts";
import { utf8, uuidField } from "../ves/index.ts";
import { describePermissions, MAX_RATE_LIMIT, permissionsText } from "./api-key-json.ts";
import { auditContext } from "./audit-context.ts";
import type { AppContext } from "./context.ts";
import { endpoint } from "./endpoint.ts";
import { limitExceeded, limitHeaders } from "../access/limit-headers.ts";
import { uuidText } from "./schemas.ts";

const MAX_NAME_BYTES = 128;
const MAX_DESCRIPTION_BYTES = 1_024;
const MAX_STORES = 50;

/** Of a body that anybody may send: several times what a registration needs. */
const MAX_BODY_BYTES = 64 * 1024;

const registration = z
  .object({
    name: z.string().describe(`1 to ${MAX_NAME_BYTES} bytes of UTF-8 without what surrounds it; not stored`),
    description: z.string().nullish().describe(`At most ${MAX_DESCRIPTION_BYTES} bytes of UTF-8; not stored`),
    tenantId: z.unknown().optional().describe("Refused: every registration makes a tenant of its own"),
    storeIds: z.array(uuidField).nullish().describe(`At most ${MAX_STORES}; absent or empty: all stores of the tenant`),
    readOnly: z.boolean().nullish(),
    admin: z.boolean().nullish().describe("Refused when true"),
    rateLimit: z.int().nullish().describe(`Requests in RATE_LIMIT_WINDOW_SECONDS, 1 to ${MAX_RATE_LIMIT}`),
  })
  .meta({ id: "AgentRegistration", description: "Member names may also be given in snake_case" });

type Registration = z.output<typeof registration>;

/** Agents that nobody has invited. */
export const agentRegistrationEndpoints = [
  endpoint({
    method: "POST",
    path: "/api/v1/agents/register",
    tag: "API keys",
    summary: "Register oneself: a new tenant, an agent in it, and an API key for it",
    description: `Served where the deployment has PUBLIC_AGENT_REGISTRATION_ENABLED. Attempts are limited for each client address,
those that are refused for their contents too: \`ratelimit-limit\`, \`ratelimit-remaining\` and \`ratelimit-reset\` (seconds) say
how it stands. The key can read and send events at once; they are accepted from when an administrator has registered a signing key for the
agent, which is how a deployment admits it.`,
    isPublic: true,
    maxBodyBytes: MAX_BODY_BYTES,
    body: registration,
    response: z.object({
      success: z.literal(true),
      agentId: uuidText,
      tenantId: uuidText,
      apiKey: z.string().describe("Shown this once: only its hash is stored"),
      permissions: permissionsText.extract(["read", "read_write"]),
      message: z.string(),
    }),
    errors: [403, 429],
    handle: async (c, { body }) => {
      const perMinute = c.get("config").registrationsPerMinute;
      if (perMinute === null) {
        throw new RequestError("REGISTRATION_DISABLED", "This deployment does not let agents register themselves");
      }
      for (const [name, value] of await attempt(c, perMinute)) c.header(name, value);
      checkRegistration(body);
      const [tenantId, agentId] = [crypto.randomUUID(), crypto.randomUUID()];
      const apiKey = mintApiKey(tenantId);
      const permissions = { read: true, write: body.readOnly !== true, admin: false };
      const storeIds = body.storeIds == null || body.storeIds.length === 0 ? null : body.storeIds;
      const keyHash = apiKeyHash(apiKey);
      const rateLimit = body.rateLimit ?? null;
      const newKey = { keyHash, agentId, storeIds, permissions, rateLimit, limitKeyHash: null, expiresAt: null };
      await registryStub(c.env, tenantId).addApiKey(newKey, auditContext(c), "self_registered");
      return {
        success: true,
        agentId,
        tenantId,
        apiKey,
        permissions: describePermissions(permissions),
        message: "Keep the key: it is not shown again",
      };
    },
  }),
];

/** Counts the attempt. @returns the headers that tell how the limit stands. @throws RequestError RATE_LIMIT_EXCEEDED */
async function attempt(c: AppContext, perMinute: number): Promise<readonly [name: string, value: string][]> {
  const client = clientOf(c.req.raw.headers, c.get("config").trustedProxies);
  const { allowed, remaining, resetMs } = await takeOfClient(c.env, "registration", client, perMinute);
  const state = { amount: perMinute, remaining, resetMs };
  if (allowed) return limitHeaders(state);
  throw limitExceeded(`An address may try to register ${perMinute} agents in a minute`, state);
}

/** The first thing that is wrong is what is told. */
function checkRegistration({ name, description, storeIds, rateLimit, tenantId, admin }: Registration): void {
  const bytes = (text: string): number => utf8(text.toWellFormed()).length;
  const nameBytes = bytes(name.trim());
  const problems: readonly (readonly [isWrong: boolean, code: ErrorCode, message: string])[] = [
    [nameBytes === 0, "INVALID_NAME", "name is blank"],
    [nameBytes > MAX_NAME_BYTES, "NAME_TOO_LONG", `name may have ${MAX_NAME_BYTES} bytes`],
    [
      bytes(description ?? "") > MAX_DESCRIPTION_BYTES,
      "DESCRIPTION_TOO_LONG",
      `description may have ${MAX_DESCRIPTION_BYTES} bytes`,
    ],
    [(storeIds?.length ?? 0) > MAX_STORES, "STORE_IDS_TOO_MANY", `storeIds may name ${MAX_STORES} stores`],
    [
      rateLimit != null && (rateLimit < 1 || rateLimit > MAX_RATE_LIMIT),
      "RATE_LIMIT_INVALID",
      `rateLimit must be 1 to ${MAX_RATE_LIMIT}`,
    ],
    [tenantId != null, "TENANT_ID_NOT_ALLOWED", "tenantId cannot be chosen: leave it out"],
    [admin === true, "ADMIN_NOT_ALLOWED", "Nobody becomes an administrator by registering"],
  ];
  for (const [isWrong, code, message] of problems) if (isWrong) throw new RequestError(code, message);
}
