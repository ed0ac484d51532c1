import type { JsonValue } from "../../../src/ves/index.ts";
import {
  type SigningKeys,
  verifiedEncryptionKeys,
  type VerifiedEncryptionKey,
  verifiedSigningKeys,
} from "./directory.ts";
import { EncryptionError } from "./errors.ts";
import type { AgentRef, SequencerTrust } from "./signed-answer.ts";

/** Asks the sequencer: the JSON that a GET of this path answers. */
export type Get = (path: string) => Promise<JsonValue>;

/**
 * The key to encrypt to for an agent: its newest that may be used, once every signature is checked.
 *
 * @param pinned the agent's signing keys, where they are known from elsewhere. Of these the sequencer says only which are
 * revoked; without them it is believed which ones the agent has.
 * @throws EncryptionError one of those of directories; or what `get` throws
 */
export async function findRecipient(
  get: Get,
  agent: AgentRef,
  trust: SequencerTrust,
  pinned?: SigningKeys,
): Promise<VerifiedEncryptionKey> {
  const path = (directory: string): string =>
    `/api/v1/agents/${agent.agentId}/${directory}?tenant_id=${agent.tenantId}`;
  // The signing keys last: one that was revoked in between must not be taken for good.
  const answer = await get(path("encryption-keys"));
  const listed = await verifiedSigningKeys(await get(path("signing-keys")), agent, trust);
  const signingKeys = pinned === undefined ? listed : revokedAsListed(pinned, listed);
  const [newest] = await verifiedEncryptionKeys(answer, agent, signingKeys, trust);
  if (newest !== undefined) return newest;
  throw new EncryptionError("no_usable_key", `agent ${agent.agentId} has no key that may be encrypted to`);
}

function revokedAsListed(pinned: SigningKeys, listed: SigningKeys): SigningKeys {
  return new Map(
    Array.from(pinned, ([id, key]) => [id, { ...key, revokedAt: key.revokedAt ?? listed.get(id)?.revokedAt ?? null }]),
  );
}
