import { fromHex, type SigningKey, signingKeyFromSeed, VesError } from "../../src/ves/index.ts";
import { AgentError } from "./errors.ts";

/** Who signs, in which stream. Ids are UUIDs. */
export interface AgentIdentity {
  readonly tenantId: string;
  readonly storeId: string;
  readonly agentId: string;
  /** Under which the agent's public key is registered. */
  readonly keyId: number;
}

/** An Ed25519 seed as 32 bytes or 64 hex digits, or a key that is elsewhere and signs when asked. */
export type SigningKeySource = Uint8Array | string | SigningKey;

/** @throws AgentError INVALID_OPTIONS */
export async function signingKeyOf(source: SigningKeySource): Promise<SigningKey> {
  if (typeof source === "object" && "sign" in source) return source;
  try {
    return await signingKeyFromSeed(typeof source === "string" ? fromHex(source, 32) : source);
  } catch (error) {
    if (!(error instanceof VesError)) throw error;
    throw new AgentError("INVALID_OPTIONS", `keys.signing is no Ed25519 seed: ${error.message}`, { cause: error });
  }
}
