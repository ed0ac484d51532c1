import { z } from "zod";
import { hex32Field, proofOfPossessionChallenge, type SigningKey, toHex } from "../../../src/ves/index.ts";
import type { Api } from "../api.ts";
import { AgentError } from "../errors.ts";
import { CommandError } from "./command-error.ts";
import type { Config } from "./config.ts";
import { EXIT } from "./exit-codes.ts";

const listForm = z.object({
  keys: z.array(
    z.object({
      key_id: z.int(),
      public_key: hex32Field,
      status: z.enum(["active", "revoked", "expired", "not_yet_valid"]),
      valid_from: z.string().nullable(),
      valid_to: z.string().nullable(),
      revoked_at: z.string().nullable(),
    }),
  ),
});

/** A signing key as the sequencer knows it. Times are RFC 3339. */
export interface RegisteredKey {
  readonly keyId: number;
  /** Hex. */
  readonly publicKey: string;
  readonly status: "active" | "revoked" | "expired" | "not_yet_valid";
  readonly validFrom: string | null;
  readonly validTo: string | null;
  readonly revokedAt: string | null;
}

type Agent = Pick<Config, "tenantId" | "agentId">;

/** The agent's keys, revoked ones included. @throws AgentError */
export async function registeredKeys(api: Api, { tenantId, agentId }: Agent): Promise<readonly RegisteredKey[]> {
  const path = `/api/v1/agents/keys?tenant_id=${tenantId}&agent_id=${agentId}`;
  const { keys } = await api.get(path, listForm);
  return keys.map((key) => ({
    keyId: key.key_id,
    publicKey: toHex(key.public_key),
    status: key.status,
    validFrom: key.valid_from,
    validTo: key.valid_to,
    revokedAt: key.revoked_at,
  }));
}

/** What an administrator sends to `POST /api/v1/agents/keys`, proof that the agent holds the key included. Hashes are hex. */
export async function registrationOf({ tenantId, agentId }: Agent, keyId: number, key: SigningKey) {
  const proofOfPossession = toHex(await key.sign(proofOfPossessionChallenge(key.publicKey)));
  return { tenantId, agentId, keyId, publicKey: toHex(key.publicKey), proofOfPossession };
}

/** From when until when a key may be used: RFC 3339, no bound where absent. */
export interface Validity {
  readonly validFrom?: string | undefined;
  readonly validTo?: string | undefined;
}

/**
 * Registers a key. One that is registered already, under the same id, is left as it is.
 *
 * @returns whether it was registered by this
 * @throws AgentError; CommandError KEY_ID_TAKEN when another key has the id, KEY_NOT_ACTIVE when it may not be used any more
 */
export async function registerKey(
  api: Api,
  agent: Agent,
  keyId: number,
  key: SigningKey,
  validity: Validity = {},
): Promise<boolean> {
  const body = { ...(await registrationOf(agent, keyId, key)), ...validity };
  try {
    await api.send("POST", "/api/v1/agents/keys", JSON.stringify(body), z.looseObject({}));
    return true;
  } catch (error) {
    if (!(error instanceof AgentError && error.server?.status === 409)) throw error;
    const known = (await registeredKeys(api, agent)).find((candidate) => candidate.keyId === keyId);
    // The limit of keys is another reason for the same status.
    if (known === undefined) throw error;
    requireSame(known, body.publicKey);
    return false;
  }
}

function requireSame({ keyId, publicKey, status }: RegisteredKey, own: string): void {
  const rotate = "run stateset-sync keys rotate for one with another id";
  if (publicKey !== own) {
    throw new CommandError("KEY_ID_TAKEN", `Another key is registered as key ${keyId}: ${rotate}.`, EXIT.unsound);
  }
  if (status === "active" || status === "not_yet_valid") return;
  throw new CommandError("KEY_NOT_ACTIVE", `Key ${keyId} is ${status}: ${rotate}.`, EXIT.unsound);
}

const revokedForm = z.object({ revoked_at: z.string() });

/** @returns when it was revoked, RFC 3339. @throws AgentError NOT_FOUND when the agent has no such key */
export async function revokeKey(api: Api, { tenantId, agentId }: Agent, keyId: number): Promise<string> {
  const path = `/api/v1/agents/${agentId}/keys/${keyId}?tenant_id=${tenantId}`;
  return (await api.delete(path, revokedForm)).revoked_at;
}
