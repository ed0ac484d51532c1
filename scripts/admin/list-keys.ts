import { callPatiently } from "../fsck/retry.ts";
import type { Server } from "../lib/client.ts";
import { counted } from "../lib/text.ts";
import { tableText } from "../lib/table.ts";
import { agentPages } from "./agent-list.ts";
import { type ApiKeyList, apiKeysPath, type ListedApiKey } from "./api-key-list.ts";
import { serverCommand } from "./server-command.ts";
import { requireUuid, uuidOf } from "./server-options.ts";

const TITLES = ["AGENT", "HASH", "STATE", "MAY", "STORES", "LIMIT", "ENDS"];

export const listKeys = serverCommand({
  summary: "lists API keys by their hashes",
  usage: `list-keys --tenant ID [options]

Lists API keys with what each allows. The keys themselves are stored nowhere: their hashes name them. LIMIT is how many
requests a key may make in RATE_LIMIT_WINDOW_SECONDS, which is 60 unless set.

  --tenant ID        the tenant
  --agent ID         one agent's only; otherwise of all that the mirror has
`,
  options: { tenant: { type: "string" }, agent: { type: "string" } },
  run: async (server, values, progress) => {
    const tenantId = requireUuid("--tenant", values.tenant);
    const agents =
      values.agent === undefined ? await agentsWithKeys(server, tenantId) : [uuidOf("--agent", values.agent)];
    progress.startEvents("List", agents.length);
    const keys: (ListedApiKey & { readonly agentId: string })[] = [];
    for (const agentId of agents) {
      const list = await callPatiently<ApiKeyList>(server, "GET", apiKeysPath(tenantId, agentId));
      keys.push(...list.keys.map((key) => ({ agentId, ...key })));
      progress.advance(1);
    }
    const rows = keys.map((key) => [
      key.agentId,
      key.keyHashPrefix,
      stateOf(key),
      key.permissions,
      key.storeIds === null ? "all" : String(key.storeIds.length),
      key.rateLimit === null ? "–" : String(key.rateLimit),
      key.expiresAt ?? "never",
    ]);
    const table = rows.length === 0 ? "" : tableText(TITLES, rows);
    return { json: { keys, count: keys.length }, text: `${table}${counted(keys.length, "API key")}\n` };
  },
});

async function agentsWithKeys(server: Server, tenantId: string): Promise<string[]> {
  const agents: string[] = [];
  for await (const page of agentPages(server, tenantId)) {
    agents.push(...page.filter(({ apiKeyCount }) => apiKeyCount > 0).map(({ agentId }) => agentId));
  }
  return agents;
}

function stateOf({ active, revokedAt }: ListedApiKey): string {
  if (active) return "active";
  return revokedAt === null ? "expired" : "revoked";
}
