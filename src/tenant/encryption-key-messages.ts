import type { EncryptionKeyStatement } from "../ves/index.ts";

/** What the Workers say to a registry about the keys that agents are encrypted to. */

/** An agent's statement with its signature (64 bytes), which the caller has verified. */
export type EncryptionKeyRegistration = Omit<EncryptionKeyStatement, "tenantId"> & { readonly signature: Uint8Array };

/** A registered key. Times are milliseconds since the epoch. */
export type RegisteredEncryptionKey = EncryptionKeyRegistration & {
  readonly createdAt: number;
  readonly revokedAt: number | null;
};

export type EncryptionKeyResult =
  | { readonly kind: "registered" }
  /** Another key of the tenant has it, or had it. */
  | { readonly kind: "kid_taken" }
  /** A statement about the key that was signed later, or at the same time and says something else, is registered. */
  | { readonly kind: "outdated" }
  | { readonly kind: "too_many_keys"; readonly limit: number }
  /** It was revoked, or has ended, since the caller verified with it. */
  | { readonly kind: "signing_key_unusable" };
