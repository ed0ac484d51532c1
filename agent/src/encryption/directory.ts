import { z } from "zod";
import {
  type AgentKey,
  encryptionKeyDirectoryHash,
  encryptionKeyHash,
  type JsonValue,
  keyDirectoryHash,
  u32Field,
  verifyEd25519,
} from "../../../src/ves/index.ts";
import type { Recipient } from "./encrypt.ts";
import { EncryptionError } from "./errors.ts";
import { type AgentRef, checkedAnswer, hexOf, type SequencerTrust, timeOf } from "./signed-answer.ts";

/** An agent's signing keys by id. */
export type SigningKeys = ReadonlyMap<number, AgentKey>;

/** A key that an agent has registered to be encrypted to. */
export interface VerifiedEncryptionKey extends Recipient {
  readonly agentId: string;
  readonly signingKeyId: number;
}

const time = z.string().nullable();

const signingKeyDirectory = z.object({
  keys: z.array(z.object({ keyId: u32Field, publicKey: z.string(), validFrom: time, validTo: time, revokedAt: time })),
});

const encryptionKeyDirectory = z.object({
  keys: z.array(
    z.object({
      kid: u32Field,
      publicKey: z.string(),
      signingKeyId: u32Field,
      signedAt: z.string(),
      signature: z.string(),
      validTo: time,
      revokedAt: time,
    }),
  ),
});

/**
 * What `GET /api/v1/agents/{agent_id}/signing-keys` answered, checked. It is the sequencer's word: who wants to be safe from
 * a sequencer that lies keeps these keys, or has them from the agent itself.
 *
 * @throws EncryptionError as {@link checkedAnswer}
 */
export async function verifiedSigningKeys(
  answer: JsonValue,
  agent: AgentRef,
  trust: SequencerTrust,
): Promise<SigningKeys> {
  const { keys } = await checkedAnswer(answer, signingKeyDirectory, keyDirectoryHash, agent, trust);
  return new Map(
    keys.map(({ keyId, publicKey, validFrom, validTo, revokedAt }) => [
      keyId,
      {
        keyId,
        publicKey: hexOf(publicKey, 32),
        validFrom: timeOrNull(validFrom),
        validTo: timeOrNull(validTo),
        revokedAt: timeOrNull(revokedAt),
      },
    ]),
  );
}

/**
 * The keys of `GET /api/v1/agents/{agent_id}/encryption-keys` that may be encrypted to now, newest first: neither revoked nor
 * past their end, and registered under a signing key that was not revoked since. The sequencer's signature over the whole
 * and the agent's over each key are checked, those of keys that are out of use too.
 *
 * @throws EncryptionError as {@link checkedAnswer}, `unknown_signing_key`, `registration_signature_invalid`
 */
export async function verifiedEncryptionKeys(
  answer: JsonValue,
  agent: AgentRef,
  signingKeys: SigningKeys,
  trust: SequencerTrust,
): Promise<readonly VerifiedEncryptionKey[]> {
  const directory = await checkedAnswer(answer, encryptionKeyDirectory, encryptionKeyDirectoryHash, agent, trust);
  const now = trust.now ?? Date.now();
  const usable: VerifiedEncryptionKey[] = [];
  for (const { kid, signingKeyId, ...texts } of directory.keys) {
    const signingKey = signingKeys.get(signingKeyId);
    if (signingKey === undefined) {
      throw new EncryptionError("unknown_signing_key", `key ${kid} is registered by signing key ${signingKeyId}`);
    }
    const publicKey = hexOf(texts.publicKey, 32);
    const validTo = timeOrNull(texts.validTo);
    const signedAt = timeOf(texts.signedAt);
    const hash = encryptionKeyHash({ ...agent, kid, publicKey, signingKeyId, validTo, signedAt });
    if (!(await verifyEd25519(signingKey.publicKey, hash, hexOf(texts.signature, 64)))) {
      throw new EncryptionError("registration_signature_invalid", `the agent has not registered key ${kid} so`);
    }
    const isOver = texts.revokedAt !== null || signingKey.revokedAt !== null || (validTo !== null && validTo < now);
    if (!isOver) usable.push({ agentId: agent.agentId, kid, publicKey, signingKeyId });
  }
  return usable;
}

function timeOrNull(text: string | null): number | null {
  return text === null ? null : timeOf(text);
}
