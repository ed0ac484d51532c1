import { concat, putFixed, putU32, u32, utf8 } from "./bytes.ts";
import { canonicalJson } from "./jcs.ts";
import type { JsonObject } from "./json.ts";
import { sha256, taggedHash } from "./sha256.ts";
import { maxIdentityBytes, putIdentity } from "./signing-hash.ts";
import type { EventIdentity } from "./signing-hash.ts";

/**
 * The two layouts in which agents hash an encrypted payload. `binary` is what this library produces; `json` differs in
 * the AAD (it begins with the version), in the recipients (hashed as canonical JSON) and in the cipher hash (no
 * constant, no length word).
 */
export type EncryptionLayout = "binary" | "json";

/** One wrapped content key, decoded. `kid` is a u32; `enc` is the HPKE encapsulation, `ct` the wrapped key. */
export interface WrappedKey {
  readonly kid: number;
  readonly enc: Uint8Array;
  readonly ct: Uint8Array;
}

/** What the cipher hash covers. `nonce` 12, `aad` 32, `tag` 16, `recipientsHash` 32 bytes. */
export interface CipherParts {
  readonly nonce: Uint8Array;
  readonly aad: Uint8Array;
  readonly ciphertext: Uint8Array;
  readonly tag: Uint8Array;
  readonly recipientsHash: Uint8Array;
}

const EMPTY = new Uint8Array(0);
const AAD_DOMAIN = utf8("VES_PAYLOAD_AAD_V1");
const hashPlain = taggedHash("VES_PAYLOAD_PLAIN_V1");
const hashRecipients = taggedHash("VES_RECIPIENTS_V1");
const hashCipher = taggedHash("VES_PAYLOAD_CIPHER_V1");

/**
 * Hash of a payload given as canonical text (VES 2.1). An encrypted event also hashes its secret 16-byte `salt`, so that
 * a guessable payload cannot be confirmed from its hash.
 */
export function payloadPlainHash(canonicalPayload: string, salt: Uint8Array = EMPTY): Uint8Array {
  return hashPlain(salt, utf8(canonicalPayload));
}

/** The 32 bytes that bind a ciphertext to its event (VES 2.2). */
export function payloadAad(
  event: EventIdentity & { readonly payload_plain_hash: Uint8Array },
  layout: EncryptionLayout = "binary",
): Uint8Array {
  const out = new Uint8Array(AAD_DOMAIN.length + 4 + maxIdentityBytes(event) + 32);
  let at = putFixed(out, 0, AAD_DOMAIN, AAD_DOMAIN.length);
  if (layout === "json") at = putU32(out, at, event.ves_version);
  at = putIdentity(out, at, event);
  at = putFixed(out, at, event.payload_plain_hash, 32);
  return sha256(out.subarray(0, at));
}

/** Hash of the recipients in the order given, `binary` layout (VES 2.3). */
export function recipientsHash(recipients: readonly WrappedKey[]): Uint8Array {
  return hashRecipients(
    ...recipients.flatMap(({ kid, enc, ct }) => [u32(kid), u32(enc.length), enc, u32(ct.length), ct]),
  );
}

/** Hash of the recipients as they stand on the wire, sorted by `recipient_kid`, `json` layout (VES 2.3). */
export function recipientsJsonHash(
  recipients: readonly (JsonObject & { readonly recipient_kid: number })[],
): Uint8Array {
  const sorted = recipients.toSorted((a, b) => a.recipient_kid - b.recipient_kid);
  return hashRecipients(utf8(canonicalJson(sorted)));
}

/** Hash of an encrypted payload (VES 2.4). */
export function payloadCipherHash(parts: CipherParts, layout: EncryptionLayout = "binary"): Uint8Array {
  const { nonce, aad, ciphertext, tag, recipientsHash: recipients } = parts;
  if (layout === "json") return hashCipher(nonce, aad, ciphertext, tag, recipients);
  // The 1 is a constant of the layout: it stays when `enc_version` is 2 or 3.
  return hashCipher(concat(u32(1), nonce, aad, u32(ciphertext.length)), ciphertext, tag, recipients);
}
