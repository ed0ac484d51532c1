import { encryptionKeyHash, type SigningKey, to0xHex, toRfc3339Offset } from "../../../src/ves/index.ts";
import type { Recipient } from "./encrypt.ts";

/** Who registers which key. */
export interface Registration {
  readonly tenantId: string;
  readonly agentId: string;
  /** A registered signing key of the agent, and its id. */
  readonly signingKeyId: number;
  readonly signingKey: SigningKey;
  readonly key: Recipient;
  /** Until when others are to encrypt to it, in milliseconds since the epoch; no end unless given. */
  readonly validTo?: number;
  /** When it is signed, in milliseconds since the epoch; now unless given. Only a later statement replaces one. */
  readonly signedAt?: number;
}

/** The body of `POST /api/v1/agents/{agent_id}/encryption-keys`. */
export interface RegistrationBody {
  readonly tenantId: string;
  readonly kid: number;
  readonly publicKey: string;
  readonly signingKeyId: number;
  readonly signedAt: string;
  readonly signature: string;
  readonly validTo?: string;
}

/** The registration of an encryption key, signed by the agent whose it is. */
export async function registrationBody(registration: Registration): Promise<RegistrationBody> {
  const { tenantId, agentId, signingKeyId, signingKey, key, validTo, signedAt = Date.now() } = registration;
  const statement = { tenantId, agentId, ...key, signingKeyId, validTo: validTo ?? null, signedAt };
  return {
    tenantId,
    kid: key.kid,
    publicKey: to0xHex(key.publicKey),
    signingKeyId,
    signedAt: toRfc3339Offset(signedAt),
    signature: to0xHex(await signingKey.sign(encryptionKeyHash(statement))),
    ...(validTo === undefined ? {} : { validTo: toRfc3339Offset(validTo) }),
  };
}
