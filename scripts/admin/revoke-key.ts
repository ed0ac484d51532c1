import { callPatiently } from "../fsck/retry.ts";
import { UsageError } from "../lib/usage.ts";
import { type ApiKeyList, apiKeysPath } from "./api-key-list.ts";
import { serverCommand } from "./server-command.ts";
import { requireUuid } from "./server-options.ts";

export const revokeKey = serverCommand({
  summary: "revokes an API key",
  usage: `revoke-key --tenant ID --agent ID --hash HEX [options]

Revokes an API key, named by the beginning of its hash as list-keys shows it. It stops working everywhere within seconds.
Running it again does no harm.

  --tenant ID        the tenant
  --agent ID         the agent whose key it is
  --hash HEX         8 or more of the first hex digits of the key's hash
  --dry-run          say which key would be revoked, and change nothing
`,
  options: {
    tenant: { type: "string" },
    agent: { type: "string" },
    hash: { type: "string" },
    "dry-run": { type: "boolean" },
  },
  run: async (server, values) => {
    const tenantId = requireUuid("--tenant", values.tenant);
    const agentId = requireUuid("--agent", values.agent);
    const { hash } = values;
    if (hash === undefined || !/^[0-9a-f]{8,64}$/.test(hash)) {
      throw new UsageError("--hash takes 8 to 64 lowercase hex digits.");
    }
    const told = { tenant_id: tenantId, agent_id: agentId, hash };
    if (values["dry-run"] === true) {
      const { keys } = await callPatiently<ApiKeyList>(server, "GET", apiKeysPath(tenantId, agentId));
      const found = keys.filter(({ keyHashPrefix: own }) => own.startsWith(hash) || hash.startsWith(own));
      const [key] = found;
      if (key === undefined || found.length > 1) {
        throw new Error(`The agent has ${found.length === 0 ? "no key" : "several keys"} whose hash begins like this.`);
      }
      const text = `API key ${key.keyHashPrefix}, ${key.permissions}, would be revoked.\n`;
      return { json: { ...told, dry_run: true, key }, text };
    }
    const path = `/api/v1/agents/${agentId}/api-keys/${hash}?tenant_id=${tenantId}`;
    await callPatiently(server, "DELETE", path);
    return { json: { ...told, revoked: true }, text: `API key ${hash} of agent ${agentId} is revoked.\n` };
  },
});
