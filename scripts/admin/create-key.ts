import { callPatiently } from "../fsck/retry.ts";
import { call } from "../lib/client.ts";
import { counted } from "../lib/text.ts";
import { UsageError } from "../lib/usage.ts";
import { type ApiKeyList, apiKeysPath } from "./api-key-list.ts";
import { serverCommand } from "./server-command.ts";
import { requireUuid, uuidOf, wholeNumber } from "./server-options.ts";

interface Minted {
  readonly apiKey: string;
  readonly keyHashPrefix: string;
  readonly permissions: string;
  readonly rateLimit: number | null;
  readonly expiresAt: string | null;
}

export const createKey = serverCommand({
  summary: "mints an API key for an agent, and prints it once",
  usage: `create-key --tenant ID [options]

Mints an API key and prints it, this once: only its hash is stored. It may read and write unless an option says otherwise.

  --tenant ID        the tenant
  --agent ID         the agent whose key it is to be; a new one when not given
  --store ID         only this store; may be given several times. All of the tenant's when not given
  --read-only        it may read only
  --admin            it may administrate the tenant
  --expires-at TIME  when it ends, such as 2027-01-31T00:00:00Z; never when not given
  --rate-limit N     requests in RATE_LIMIT_WINDOW_SECONDS, which is 60 unless set; no limit of its own when not given
  --dry-run          say what would be minted, and change nothing
`,
  options: {
    tenant: { type: "string" },
    agent: { type: "string" },
    store: { type: "string", multiple: true },
    "read-only": { type: "boolean" },
    admin: { type: "boolean" },
    "expires-at": { type: "string" },
    "rate-limit": { type: "string" },
    "dry-run": { type: "boolean" },
  },
  run: async (server, values) => {
    const tenantId = requireUuid("--tenant", values.tenant);
    const agentId = values.agent === undefined ? crypto.randomUUID() : uuidOf("--agent", values.agent);
    const storeIds = values.store?.map((id) => uuidOf("--store", id)) ?? null;
    if (values.admin === true && values["read-only"] === true) throw new UsageError("Give --admin or --read-only.");
    const wish = {
      storeIds,
      admin: values.admin ?? null,
      readOnly: values["read-only"] ?? null,
      expiresAt: timeOf(values["expires-at"]),
      rateLimit: wholeNumber("--rate-limit", values["rate-limit"], 1) ?? null,
    };
    const ids = { tenant_id: tenantId, agent_id: agentId };
    if (values["dry-run"] === true) {
      const { count } = await callPatiently<ApiKeyList>(server, "GET", apiKeysPath(tenantId, agentId));
      const text = `An API key of agent ${agentId} would be minted, beside ${counted(count, "key")} that it has.\n`;
      return { json: { ...ids, dry_run: true, keys: count, request: wish }, text };
    }
    const path = `/api/v1/agents/${agentId}/api-keys`;
    const minted = await call<Minted>(server, "POST", path, { tenantId, ...wish });
    const { apiKey, keyHashPrefix, permissions, rateLimit, expiresAt } = minted;
    const json = {
      ...ids,
      api_key: apiKey,
      key_hash_prefix: keyHashPrefix,
      permissions,
      store_ids: storeIds,
      rate_limit: rateLimit,
      expires_at: expiresAt,
    };
    const lines = [
      `Tenant ${tenantId}, agent ${agentId}`,
      `May ${permissions.replace("_", " and ")}, in ${storeIds === null ? "all stores" : storeIds.join(", ")}`,
      `Ends ${expiresAt ?? "never"}; ${rateLimit === null ? "no rate limit of its own" : `${rateLimit} requests in RATE_LIMIT_WINDOW_SECONDS`}`,
      `Its hash begins with ${keyHashPrefix}`,
      "",
      apiKey,
      "",
      "Keep it: it is not shown again.",
    ];
    return { json, text: `${lines.join("\n")}\n` };
  },
});

function timeOf(text: string | undefined): string | null {
  if (text === undefined || !Number.isNaN(Date.parse(text))) return text ?? null;
  throw new UsageError(`--expires-at takes a time such as 2027-01-31T00:00:00Z, not ${JSON.stringify(text)}.`);
}
