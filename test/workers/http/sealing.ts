import {
  encryptedPayloadHash,
  type EncryptedPayload,
  type EncryptionLayout,
  type EventIdentity,
  fromHex,
  type JsonValue,
  to0xHex,
  toBase64Url,
} from "../../../src/ves/index.ts";
import { event, type newAgent, resigned, textOf, type Wire, without } from "./harness.ts";

export type Agent = Awaited<ReturnType<typeof newAgent>>;

export function base64Url(bytes: number): string {
  return toBase64Url(crypto.getRandomValues(new Uint8Array(bytes)));
}

export function encrypted(ctBytes = 48): EncryptedPayload {
  const recipient = (kid: number) => ({ recipient_kid: kid, enc_b64u: base64Url(32), ct_b64u: base64Url(ctBytes) });
  return {
    enc_version: 1,
    aead: "AES-256-GCM",
    nonce_b64u: base64Url(12),
    ciphertext_b64u: base64Url(90),
    tag_b64u: base64Url(16),
    hpke: { mode: "base", kem: "X25519-HKDF-SHA256", kdf: "HKDF-SHA256", aead: "AES-256-GCM" },
    recipients: [recipient(1), recipient(2), recipient(4_294_967_295)],
  };
}

/** An event with this encrypted payload; its cipher hash is that of `hashed`, which is the same unless given. */
export async function sealed(
  signer: Agent,
  payload: EncryptedPayload,
  layout: EncryptionLayout = "binary",
  hashed: EncryptedPayload = payload,
): Promise<Wire> {
  const plain = without(await event(signer), "payload");
  const hash = encryptedPayloadHash(
    {
      ...(plain as unknown as EventIdentity),
      payload_plain_hash: fromHex(textOf(plain, "payload_plain_hash")),
      payload_encrypted: hashed,
    },
    layout,
  );
  return resigned(signer, plain, {
    payload_kind: 1,
    payload_encrypted: payload as JsonValue,
    payload_cipher_hash: to0xHex(hash ?? new Uint8Array(32)),
  });
}
