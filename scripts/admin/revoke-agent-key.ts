import { UsageError } from "../lib/usage.ts";
import { serverCommand } from "./server-command.ts";
import { requireUuid, wholeNumber } from "./server-options.ts";
import { readSigningKeys, revokeSigningKey } from "./signing-key-list.ts";

export const revokeAgentKey = serverCommand({
  summary: "revokes a key that an agent signs events with",
  usage: `revoke-agent-key --tenant ID --agent ID --key-id N [options]

Revokes a signing key. When it ends, no stream accepts an event signed with it any more; what was accepted before stays.
Running it again does no harm.

  --tenant ID        the tenant
  --agent ID         the agent
  --key-id N         the key, as list-agent-keys shows it
  --dry-run          say what would be revoked, and change nothing
`,
  options: {
    tenant: { type: "string" },
    agent: { type: "string" },
    "key-id": { type: "string" },
    "dry-run": { type: "boolean" },
  },
  run: async (server, values) => {
    const tenantId = requireUuid("--tenant", values.tenant);
    const agentId = requireUuid("--agent", values.agent);
    const keyId = wholeNumber("--key-id", values["key-id"], 0);
    if (keyId === undefined) throw new UsageError("Give --key-id.");
    const ids = { tenant_id: tenantId, agent_id: agentId, key_id: keyId };
    if (values["dry-run"] === true) {
      const keys = await readSigningKeys(server, tenantId, agentId);
      const key = keys.find(({ key_id: id }) => id === keyId);
      if (key === undefined) throw new Error(`Agent ${agentId} has no key ${keyId}.`);
      const text = `Key ${keyId} of agent ${agentId}, which is ${key.status}, would be revoked.\n`;
      return { json: { ...ids, dry_run: true, status: key.status }, text };
    }
    const { revoked_at: revokedAt } = await revokeSigningKey(server, { tenantId, agentId, keyId });
    return {
      json: { ...ids, revoked_at: revokedAt },
      text: `Key ${keyId} of agent ${agentId} is revoked since ${revokedAt}.\n`,
    };
  },
});
