import { fromHex, proofOfPossessionChallenge, signingKeyFromSeed, toHex } from "../../src/ves/index.ts";
import { call } from "../lib/client.ts";
import { UsageError } from "../lib/usage.ts";
import { serverCommand } from "./server-command.ts";
import { readSecret, requireUuid, wholeNumber } from "./server-options.ts";
import { readSigningKeys, revokeSigningKey } from "./signing-key-list.ts";

export const registerAgentKey = serverCommand({
  summary: "registers a key that an agent signs events with",
  usage: `register-agent-key --tenant ID --agent ID (--public-key KEY | --private-key-file FILE) [options]

Registers an Ed25519 key. With --revoke-others the agent's other keys are revoked once it is registered.

  --tenant ID        the tenant
  --agent ID         the agent
  --public-key KEY   32 bytes in hex or base64
  --private-key-file FILE
                     holds the private key, 64 hex digits: its public key is registered, with proof that you hold it. It is
                     not sent anywhere
  --proof SIGNATURE  proof of possession for --public-key, 64 bytes in hex or base64, where the deployment demands one
  --key-id N         the next free one when not given
  --valid-from TIME  not valid before
  --valid-to TIME    not valid after
  --revoke-others    revoke the agent's other keys
  --dry-run          say what would be registered and revoked, and change nothing
`,
  options: {
    tenant: { type: "string" },
    agent: { type: "string" },
    "public-key": { type: "string" },
    "private-key-file": { type: "string" },
    proof: { type: "string" },
    "key-id": { type: "string" },
    "valid-from": { type: "string" },
    "valid-to": { type: "string" },
    "revoke-others": { type: "boolean" },
    "dry-run": { type: "boolean" },
  },
  run: async (server, values, progress) => {
    const tenantId = requireUuid("--tenant", values.tenant);
    const agentId = requireUuid("--agent", values.agent);
    const key = await keyOf(values["public-key"], values["private-key-file"], values.proof);
    const wanted = wholeNumber("--key-id", values["key-id"], 0) ?? null;
    const ids = { tenant_id: tenantId, agent_id: agentId };
    const present = await readSigningKeys(server, tenantId, agentId);
    const isRevoking = values["revoke-others"] === true;
    const others = isRevoking ? present.filter(({ revoked_at: at }) => at === null).map(({ key_id: id }) => id) : [];
    const revoked = (ids_: readonly number[]): string => (ids_.length === 0 ? "" : `, and ${ids_.join(", ")} revoked`);
    if (values["dry-run"] === true) {
      const text = `A key of agent ${agentId} would be registered${revoked(others)}.\n`;
      return { json: { ...ids, dry_run: true, public_key: key.publicKey, revoked: others }, text };
    }
    const body = {
      tenantId,
      agentId,
      keyId: wanted,
      ...key,
      validFrom: values["valid-from"] ?? null,
      validTo: values["valid-to"] ?? null,
    };
    const { keyId } = await call<{ keyId: number }>(server, "POST", "/api/v1/agents/keys", body);
    progress.startEvents("Revoke", others.length);
    for (const other of others) {
      await revokeSigningKey(server, { tenantId, agentId, keyId: other });
      progress.advance(1);
    }
    const text = `Key ${keyId} of agent ${agentId} is registered${revoked(others)}.\n`;
    return { json: { ...ids, key_id: keyId, public_key: key.publicKey, revoked: others }, text };
  },
});

interface GivenKey {
  readonly publicKey: string;
  readonly proofOfPossession: string | null;
}

async function keyOf(
  publicKey: string | undefined,
  privateKeyFile: string | undefined,
  proof: string | undefined,
): Promise<GivenKey> {
  if ((publicKey === undefined) === (privateKeyFile === undefined)) {
    throw new UsageError("Give either --public-key or --private-key-file.");
  }
  if (publicKey !== undefined) return { publicKey, proofOfPossession: proof ?? null };
  if (proof !== undefined) throw new UsageError("--proof goes with --public-key: --private-key-file makes one.");
  const text = readSecret("--private-key-file", privateKeyFile ?? "");
  if (!/^(0x)?[0-9a-fA-F]{64}$/.test(text)) throw new UsageError("--private-key-file must hold 64 hex digits.");
  const key = await signingKeyFromSeed(fromHex(text, 32));
  const own = await key.sign(proofOfPossessionChallenge(key.publicKey));
  return { publicKey: toHex(key.publicKey), proofOfPossession: toHex(own) };
}
