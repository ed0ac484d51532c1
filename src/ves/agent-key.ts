import { ed25519 } from "@noble/curves/ed25519.js";
import { verifyEd25519 } from "./ed25519.ts";
import { VesError } from "./errors.ts";
import { proofOfPossessionChallenge } from "./proof-hash.ts";

/** A registered Ed25519 key of an agent. Instants are milliseconds since 1970; `null` means no bound. */
export interface AgentKey {
  readonly keyId: number;
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  readonly validFrom: number | null;
  readonly validTo: number | null;
  readonly revokedAt: number | null;
}

/** Why a key may not be used now. The texts are part of the protocol (VES 6.3). */
export type AgentKeyProblem =
  "Agent key not found" | "Agent key has been revoked" | "Agent key has expired" | "Agent key is not yet valid";

/**
 * Whether an Ed25519 public key may be registered (VES 3.1). Verification accepts keys for which anybody can produce
 * signatures; they are kept out here, where refusing them can never change the verdict on a sequenced event.
 *
 * @returns what is wrong with it as VesError `invalid_length` or `invalid_public_key`, or `undefined` for a sound key
 */
export function checkRegistrableKey(publicKey: Uint8Array): VesError | undefined {
  if (publicKey.length !== 32) {
    return new VesError("invalid_length", `an Ed25519 public key has 32 bytes, got ${publicKey.length}`);
  }
  let point;
  try {
    point = ed25519.Point.fromBytes(publicKey, false);
  } catch {
    return new VesError("invalid_public_key", "public key is not the canonical encoding of a point on the curve");
  }
  if (point.isSmallOrder()) {
    return new VesError("invalid_public_key", "public key has small order: anybody can sign for it");
  }
  if (!point.isTorsionFree()) {
    return new VesError(
      "invalid_public_key",
      "public key is not in the prime-order subgroup, where every honest key is",
    );
  }
  return undefined;
}

/**
 * Why `key` does not verify events received at `nowMs`, or `undefined` when it does (VES 3.5). Both ends of the validity
 * window belong to it; revocation holds from its instant on and outranks the window.
 */
export function agentKeyProblem(key: AgentKey | undefined, nowMs: number): AgentKeyProblem | undefined {
  if (key === undefined) return "Agent key not found";
  if (key.revokedAt !== null && nowMs >= key.revokedAt) return "Agent key has been revoked";
  if (key.validTo !== null && nowMs > key.validTo) return "Agent key has expired";
  if (key.validFrom !== null && nowMs < key.validFrom) return "Agent key is not yet valid";
  return undefined;
}

/** Whether `proof` (64 bytes) shows possession of an Ed25519 key (VES 2.9). Never throws. */
export function verifyProofOfPossession(publicKey: Uint8Array, proof: Uint8Array): Promise<boolean> {
  return verifyEd25519(publicKey, proofOfPossessionChallenge(publicKey), proof);
}
