import {
  encryptedPayloadHash,
  type EncryptedPayload,
  type Envelope,
  eventSigningHash,
  type SigningKey,
  toBase64Url,
  ZERO_32,
} from "../../src/ves/index.ts";

/** The same event with an encrypted payload in place of its own, signed again. Nobody can decrypt it: all of it is random. */
export async function encryptedOf({ payload, ...envelope }: Envelope, key: SigningKey): Promise<Envelope> {
  const base64 = (bytes: number): string => toBase64Url(crypto.getRandomValues(new Uint8Array(bytes)));
  const payload_encrypted: EncryptedPayload = {
    enc_version: 1,
    aead: "AES-256-GCM",
    nonce_b64u: base64(12),
    ciphertext_b64u: base64(40),
    tag_b64u: base64(16),
    hpke: { mode: "base", kem: "X25519-HKDF-SHA256", kdf: "HKDF-SHA256", aead: "AES-256-GCM" },
    recipients: [{ recipient_kid: 1, enc_b64u: base64(32), ct_b64u: base64(48) }],
  };
  const encrypted = { ...envelope, payload_kind: 1 as const, payload_encrypted };
  const payload_cipher_hash = encryptedPayloadHash(encrypted, "binary") ?? ZERO_32;
  const agent_signature = await key.sign(eventSigningHash({ ...encrypted, payload_cipher_hash }));
  return { ...encrypted, payload_cipher_hash, agent_signature };
}

/**
 * The same event, signed again, with an encrypted payload beside its own. Its hashes are of the encrypted one, so that nothing
 * binds what stands in `payload`.
 */
export async function uncoveredOf({ payload = null, ...envelope }: Envelope, key: SigningKey): Promise<Envelope> {
  const event = { ...(await encryptedOf(envelope, key)), payload_kind: 0 as const, payload };
  return { ...event, agent_signature: await key.sign(eventSigningHash(event)) };
}
