import { z } from "zod";
import type { JsonObject } from "../../src/ves/index.ts";
import type { Context } from "./context.ts";
import {
  EncryptionError,
  findRecipient,
  type Recipient,
  registrationBody,
  type SigningKeys,
  type VerifiedEncryptionKey,
} from "./encryption/index.ts";
import { AgentError } from "./errors.ts";

/** Which key is registered. */
export interface EncryptionKeyRegistration {
  /** The agent's own of its settings when absent. */
  readonly key?: Recipient;
  /** Until when others are to encrypt to it; without end when absent. */
  readonly validTo?: Date;
}

/**
 * Lists a key at the sequencer, signed by the agent, for others to encrypt to. The same again renews its date.
 *
 * @throws AgentError INVALID_OPTIONS when the agent has no key; REFUSED when the kid is another key's; or as the API does
 */
export async function registerEncryptionKey(
  context: Context,
  { key = context.encryption.own ?? undefined, validTo }: EncryptionKeyRegistration,
  signal: AbortSignal,
): Promise<void> {
  if (key === undefined) throw new AgentError("INVALID_OPTIONS", "The agent has no encryption key: give one");
  const { tenantId, agentId, keyId } = context.identity;
  const signer = { tenantId, agentId, signingKeyId: keyId, signingKey: context.key };
  const end = validTo === undefined ? {} : { validTo: validTo.getTime() };
  const body = JSON.stringify(await registrationBody({ ...signer, key, ...end }));
  await context.api.send("POST", `/api/v1/agents/${agentId}/encryption-keys`, body, z.looseObject({}), { signal });
}

/**
 * The key to encrypt to for an agent of the tenant, every signature checked against the keys that are believed of the sequencer.
 *
 * @param signingKeys of that agent, where they are known from elsewhere: then the sequencer cannot make them up
 * @throws AgentError NO_ENCRYPTION_KEY, INVALID_DIRECTORY, SEQUENCER_KEY_CHANGED, SEQUENCER_KEY_NOT_APPROVED, or as the API does
 */
export async function findEncryptionKey(
  context: Context,
  agentId: string,
  signingKeys: SigningKeys | undefined,
  signal: AbortSignal,
): Promise<VerifiedEncryptionKey> {
  const { identity, api, trust } = context;
  const find = async (): Promise<VerifiedEncryptionKey> => {
    const sequencerKeys = Array.from((await trust.sequencerKeys(signal)).values());
    const get = (path: string): Promise<JsonObject> => api.get(path, z.custom<JsonObject>(), { signal });
    return findRecipient(get, { tenantId: identity.tenantId, agentId }, { sequencerKeys }, signingKeys);
  };
  try {
    return await find().catch(async (error: unknown) => {
      if (!(error instanceof EncryptionError && error.code === "directory_signature_invalid")) throw error;
      // It may be signed by a key that is newer than those that are pinned: this reads them again.
      await trust.directory(agentId, true, signal);
      return find();
    });
  } catch (error) {
    if (!(error instanceof EncryptionError)) throw error;
    const code = error.code === "no_usable_key" ? "NO_ENCRYPTION_KEY" : "INVALID_DIRECTORY";
    throw new AgentError(code, `No key to encrypt to: ${error.message}`, { cause: error });
  }
}
