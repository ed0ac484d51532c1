import { x25519 } from "@noble/curves/ed25519.js";
import { concat, u32, u64, utf8 } from "./bytes.ts";
import { VesError } from "./errors.ts";
import { canonicalJson } from "./jcs.ts";
import type { JsonObject } from "./json.ts";
import { taggedHash } from "./sha256.ts";
import { uuidBytes } from "./uuid.ts";

/** What an agent signs to say that a key is one that it decrypts with. */
export interface EncryptionKeyStatement {
  readonly tenantId: string;
  readonly agentId: string;
  /** The `recipient_kid` that events name it by: a u32, one key's only in its tenant. */
  readonly kid: number;
  /** X25519, 32 bytes. */
  readonly publicKey: Uint8Array;
  /** Which of the agent's signing keys signs this. */
  readonly signingKeyId: number;
  /** Until when it is to be encrypted to, in milliseconds since the epoch, inclusive; null: no end. */
  readonly validTo: number | null;
  /** When the agent signs this, in milliseconds since the epoch: of two statements about a key the later one holds. */
  readonly signedAt: number;
}

/** Number of X25519 among key algorithms (VES 3.3). */
const X25519 = 2;

/** 2^255 - 19 in little-endian: a coordinate from there on is another one written differently. */
const FIELD_PRIME = Uint8Array.from({ length: 32 }, (_, i) => (i === 0 ? 0xed : i === 31 ? 0x7f : 0xff));

/** Any scalar will do: all of them are multiples of the cofactor, and take a point of small order to zero. */
const ANY_SCALAR = new Uint8Array(32).fill(1);

const hashStatement = taggedHash("VES_ENCRYPTION_KEY_V1");
const hashDirectory = taggedHash("VES_ENCRYPTION_KEYDIR_V1");
const hashKid = taggedHash("VES_ENCRYPTION_KID_V1");

/**
 * The 32 bytes that an agent signs to register an encryption key: `H("VES_ENCRYPTION_KEY_V1" ‖ UUID(tenant) ‖ UUID(agent) ‖
 * U32(2) ‖ U32(kid) ‖ public_key[32] ‖ U32(signing_key_id) ‖ U64(signed_at) ‖ T)`, where T is `00`, or `01` ‖ U64 of the end. Times
 * are in milliseconds.
 *
 * @throws VesError `invalid_uuid`, `out_of_range`, or `invalid_length` for members out of their domain
 */
export function encryptionKeyHash(key: EncryptionKeyStatement): Uint8Array {
  if (key.publicKey.length !== 32) throw new VesError("invalid_length", "an X25519 public key has 32 bytes");
  const end = key.validTo === null ? Uint8Array.of(0) : concat(Uint8Array.of(1), u64(key.validTo));
  return hashStatement(
    uuidBytes(key.tenantId),
    uuidBytes(key.agentId),
    u32(X25519),
    u32(key.kid),
    key.publicKey,
    u32(key.signingKeyId),
    u64(key.signedAt),
    end,
  );
}

/** What the sequencer signs over an agent's encryption keys: the answer's body without its own signature. */
export function encryptionKeyDirectoryHash(bodyWithoutSignature: JsonObject): Uint8Array {
  return hashDirectory(utf8(canonicalJson(bodyWithoutSignature)));
}

/**
 * The kid that a key has unless its owner chooses another: the first 4 bytes of `H("VES_ENCRYPTION_KID_V1" ‖ public_key)`.
 * Nobody has to be asked for it, and two of 10,000 keys have the same with a probability of 1 %.
 */
export function encryptionKid(publicKey: Uint8Array): number {
  return new DataView(hashKid(publicKey).buffer).getUint32(0);
}

/**
 * Whether an X25519 public key may be registered. With a point of small order everybody knows the secret that is agreed on;
 * with a coordinate written in another way than its owner writes it, the owner could decrypt nothing.
 *
 * @returns what is wrong with it as VesError `invalid_length` or `invalid_public_key`, or `undefined` for a sound key
 */
export function checkRegistrableEncryptionKey(publicKey: Uint8Array): VesError | undefined {
  if (publicKey.length !== 32) {
    return new VesError("invalid_length", `an X25519 public key has 32 bytes, got ${publicKey.length}`);
  }
  if (!isBelowPrime(publicKey)) {
    return new VesError("invalid_public_key", "public key is not the canonical encoding of a coordinate");
  }
  try {
    x25519.scalarMult(ANY_SCALAR, publicKey);
  } catch {
    return new VesError("invalid_public_key", "public key has small order: anybody can read what is encrypted to it");
  }
  return undefined;
}

function isBelowPrime(coordinate: Uint8Array): boolean {
  for (let i = 31; i >= 0; i--) {
    const difference = (coordinate[i] as number) - (FIELD_PRIME[i] as number);
    if (difference !== 0) return difference < 0;
  }
  return false;
}
