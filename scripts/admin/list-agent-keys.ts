import { counted } from "../lib/text.ts";
import { tableText } from "../lib/table.ts";
import { serverCommand } from "./server-command.ts";
import { requireUuid, uuidOf } from "./server-options.ts";
import { readSigningKeys } from "./signing-key-list.ts";

const TITLES = ["AGENT", "KEY", "STATE", "PUBLIC KEY", "VALID"];

export const listAgentKeys = serverCommand({
  summary: "lists the keys that agents sign events with",
  usage: `list-agent-keys --tenant ID [options]

Lists signing keys, revoked and expired ones included.

  --tenant ID        the tenant
  --agent ID         one agent's only
`,
  options: { tenant: { type: "string" }, agent: { type: "string" } },
  run: async (server, values) => {
    const tenantId = requireUuid("--tenant", values.tenant);
    const agentId = values.agent === undefined ? undefined : uuidOf("--agent", values.agent);
    const keys = await readSigningKeys(server, tenantId, agentId);
    const rows = keys.map((key) => [
      key.agent_id,
      String(key.key_id),
      key.status,
      key.public_key,
      key.valid_from === null && key.valid_to === null ? "always" : `${key.valid_from ?? ""} – ${key.valid_to ?? ""}`,
    ]);
    const table = rows.length === 0 ? "" : tableText(TITLES, rows);
    return { json: { keys, count: keys.length }, text: `${table}${counted(keys.length, "signing key")}\n` };
  },
});
