import { counted } from "../lib/text.ts";
import { tableText } from "../lib/table.ts";
import { agentPages, type ListedAgent } from "./agent-list.ts";
import { serverCommand } from "./server-command.ts";
import { uuidOf } from "./server-options.ts";

const TITLES = ["TENANT", "AGENT", "MAY", "STORES", "API KEYS", "SIGNING KEYS"];

export const listAgents = serverCommand({
  summary: "lists agents with what their API keys allow",
  usage: `list-agents [options]

Lists agents by their ids, with what their active API keys allow together, as the mirror has them. Of keys, those that are
active stand before all.

  --tenant ID        one tenant's only; otherwise of all that the credential is for
`,
  options: { tenant: { type: "string" } },
  run: async (server, values, progress) => {
    const tenantId = values.tenant === undefined ? null : uuidOf("--tenant", values.tenant);
    progress.start("List");
    const agents: ListedAgent[] = [];
    for await (const page of agentPages(server, tenantId)) agents.push(...page);
    const rows = agents.map((agent) => [
      agent.tenantId,
      agent.agentId,
      agent.permissions ?? "–",
      agent.storeScope ?? "–",
      `${agent.activeApiKeys}/${agent.apiKeyCount}`,
      `${agent.activeSigningKeys}/${agent.signingKeyCount}`,
    ]);
    const table = rows.length === 0 ? "" : tableText(TITLES, rows);
    return { json: { agents, count: agents.length }, text: `${table}${counted(agents.length, "agent")}\n` };
  },
});
