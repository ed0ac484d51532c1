import { z } from "zod";
import { equalBytes } from "./bytes.ts";
import { fromBase64Url } from "./encoding.ts";
import type { JsonObject } from "./json.ts";
import { payloadAad, payloadCipherHash, recipientsHash, recipientsJsonHash } from "./payload-hash.ts";
import type { EncryptionLayout } from "./payload-hash.ts";
import { memberProblem } from "./rejection.ts";
import type { Problem } from "./rejection.ts";
import type { EventIdentity } from "./signing-hash.ts";
import { u32Field } from "./u32-field.ts";

/** One recipient's wrapped content key (VES 4.1). Unknown members are kept: one layout hashes them. */
const recipientSchema = z.looseObject({
  recipient_kid: u32Field.describe("Key id of the recipient, strictly ascending over the list"),
  enc_b64u: z.string().describe("HPKE encapsulated key, 32 bytes, base64url"),
  ct_b64u: z.string().describe("Wrapped content key, 48 or 60 bytes, base64url"),
});

/**
 * Wire form of an encrypted payload (VES 4.1): members and types only, the values are judged per event by
 * {@link encryptedPayloadProblem}. Unknown members are kept at every level, but for one called `__proto__`: zod drops it.
 */
export const encryptedPayloadSchema = z
  .looseObject({
    enc_version: u32Field.describe("Version of the encryption profile, 1 to 3"),
    aead: z.string().describe("Content cipher: AES-256-GCM"),
    nonce_b64u: z.string().describe("12 bytes, base64url"),
    ciphertext_b64u: z.string().describe("At least one byte, base64url"),
    tag_b64u: z.string().describe("16 bytes, base64url"),
    hpke: z.looseObject({ mode: z.string(), kem: z.string(), kdf: z.string(), aead: z.string() }),
    recipients: z.array(recipientSchema),
  })
  .meta({ description: "Payload encrypted for its recipients; the sequencer cannot read it" });

/** An encrypted payload as it stands on the wire, unknown members included. */
export type EncryptedPayload = z.infer<typeof encryptedPayloadSchema>;

const HPKE_MODES = ["base", "hybrid-base", "pqc-base"];
const HPKE_KEMS = ["X25519-HKDF-SHA256", "x25519+mlkem768", "mlkem768"];
const KDF = "HKDF-SHA256";
const AEAD = "AES-256-GCM";

/** A content key of 32 bytes with its tag. The `json` layout may put the 12-byte nonce before it. */
const CT_BYTES = 48;
const CT_WITH_NONCE_BYTES = 60;

/**
 * The first structural rule that an encrypted payload breaks, in the order of VES 4.1, or `undefined`. Names are compared
 * exactly. Whether a wrapped key of 60 bytes is allowed is left to {@link cipherHashMatches}, which knows the layout.
 */
export function encryptedPayloadProblem(payload: EncryptedPayload): Problem | undefined {
  const { hpke, recipients } = payload;
  if (payload.enc_version < 1 || payload.enc_version > 3) {
    return problem("enc_version", `expected 1 to 3, got ${payload.enc_version}`);
  }
  return (
    nameProblem("aead", payload.aead, [AEAD]) ??
    nameProblem("hpke.mode", hpke.mode, HPKE_MODES) ??
    nameProblem("hpke.kem", hpke.kem, HPKE_KEMS) ??
    nameProblem("hpke.kdf", hpke.kdf, [KDF]) ??
    nameProblem("hpke.aead", hpke.aead, [AEAD]) ??
    lengthProblem("nonce_b64u", payload.nonce_b64u, [12]) ??
    lengthProblem("ciphertext_b64u", payload.ciphertext_b64u) ??
    lengthProblem("tag_b64u", payload.tag_b64u, [16]) ??
    recipientsProblem(recipients)
  );
}

/** An event whose payload is encrypted, with what its cipher hash covers. */
export type EncryptedEvent = EventIdentity & {
  readonly payload_plain_hash: Uint8Array;
  readonly payload_encrypted: EncryptedPayload;
};

/**
 * Whether `payload_cipher_hash` is the hash of the encrypted payload under one of the two layouts (VES 2.4). Expects a
 * payload without {@link encryptedPayloadProblem}.
 *
 * @throws VesError `invalid_encoding` when a base64url member is not one
 */
export function cipherHashMatches(event: EncryptedEvent & { readonly payload_cipher_hash: Uint8Array }): boolean {
  return (["binary", "json"] as const).some((layout) => {
    const hash = encryptedPayloadHash(event, layout);
    return hash !== undefined && equalBytes(hash, event.payload_cipher_hash);
  });
}

/**
 * The cipher hash of an encrypted payload in a layout (VES 2.4), or `undefined` when the layout has no room for its
 * wrapped keys: only `json` allows 60 bytes.
 *
 * @throws VesError `invalid_encoding` when a base64url member is not one
 */
export function encryptedPayloadHash(event: EncryptedEvent, layout: EncryptionLayout): Uint8Array | undefined {
  const { payload_encrypted: payload } = event;
  const wrappedKeys = payload.recipients.map(({ recipient_kid: kid, enc_b64u, ct_b64u }) => ({
    kid,
    enc: fromBase64Url(enc_b64u),
    ct: fromBase64Url(ct_b64u),
  }));
  if (layout === "binary" && wrappedKeys.some(({ ct }) => ct.length !== CT_BYTES)) return undefined;
  const recipients = payload.recipients as (JsonObject & { recipient_kid: number })[];
  const parts = {
    nonce: fromBase64Url(payload.nonce_b64u),
    aad: payloadAad(event, layout),
    ciphertext: fromBase64Url(payload.ciphertext_b64u),
    tag: fromBase64Url(payload.tag_b64u),
    recipientsHash: layout === "binary" ? recipientsHash(wrappedKeys) : recipientsJsonHash(recipients),
  };
  return payloadCipherHash(parts, layout);
}

function recipientsProblem(recipients: EncryptedPayload["recipients"]): Problem | undefined {
  if (recipients.length === 0) return problem("recipients", "at least one recipient is needed");
  let previous = -1;
  for (const { recipient_kid: kid } of recipients) {
    if (kid <= previous) return problem("recipients", `recipient_kid must ascend strictly, ${kid} follows ${previous}`);
    previous = kid;
  }
  for (const { enc_b64u, ct_b64u } of recipients) {
    const found =
      lengthProblem("recipients.enc_b64u", enc_b64u, [32]) ??
      lengthProblem("recipients.ct_b64u", ct_b64u, [CT_BYTES, CT_WITH_NONCE_BYTES]);
    if (found !== undefined) return found;
  }
  return undefined;
}

function nameProblem(member: string, name: string, known: readonly string[]): Problem | undefined {
  return known.includes(name) ? undefined : problem(member, `expected ${known.join(" or ")}`);
}

/** Without `lengths` any number of bytes but 0 will do. */
function lengthProblem(member: string, text: string, lengths?: readonly number[]): Problem | undefined {
  let actual: number;
  try {
    actual = fromBase64Url(text).length;
  } catch {
    return problem(member, "not base64url");
  }
  if (lengths === undefined) return actual > 0 ? undefined : problem(member, "must not be empty");
  return lengths.includes(actual)
    ? undefined
    : problem(member, `expected ${lengths.join(" or ")} bytes, got ${actual}`);
}

function problem(member: string, message: string): Problem {
  return memberProblem(`payload_encrypted.${member}`, message);
}
