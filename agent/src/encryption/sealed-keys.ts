import { scryptAsync } from "@noble/hashes/scrypt.js";
import { z } from "zod";
import { fromBase64Url, fromHex, toBase64Url, toHex, u32Field, utf8 } from "../../../src/ves/index.ts";
import { EncryptionError } from "./errors.ts";
import { encryptionPublicKey, type EncryptionKey } from "./keys.ts";

const FORMAT = "VES_SEALED_KEYS_V1";

/** 32 MiB of memory, which a Worker has to spare, three times over. Part of the format: a file cannot ask for more. */
const SCRYPT = { N: 2 ** 15, r: 8, p: 3, dkLen: 32 };

const sealedSchema = z.object({
  format: z.literal(FORMAT),
  salt_b64u: z.string(),
  nonce_b64u: z.string(),
  ciphertext_b64u: z.string(),
});

const keysSchema = z.array(z.object({ kid: u32Field, private_key: z.string() }));

/**
 * Keys as a text that opens with a passphrase only: AES-256-GCM under scrypt of it. How hard it is to guess decides how
 * safe the text is; each guess takes about half a second.
 *
 * @throws EncryptionError `invalid_passphrase` for an empty one
 */
export async function sealKeys(keys: readonly EncryptionKey[], passphrase: string): Promise<string> {
  const salt = crypto.getRandomValues(new Uint8Array(16));
  const nonce = crypto.getRandomValues(new Uint8Array(12));
  const content = utf8(JSON.stringify(keys.map(({ kid, privateKey }) => ({ kid, private_key: toHex(privateKey) }))));
  const key = await passphraseKey(passphrase, salt);
  const ciphertext = await crypto.subtle.encrypt(gcm(nonce), key, content);
  content.fill(0);
  return JSON.stringify({
    format: FORMAT,
    salt_b64u: toBase64Url(salt),
    nonce_b64u: toBase64Url(nonce),
    ciphertext_b64u: toBase64Url(new Uint8Array(ciphertext)),
  });
}

/** The keys that {@link sealKeys} sealed. @throws EncryptionError `malformed_export`, `invalid_passphrase`, `wrong_passphrase` */
export async function openSealedKeys(text: string, passphrase: string): Promise<EncryptionKey[]> {
  const { salt, nonce, ciphertext } = parseSealed(text);
  const key = await passphraseKey(passphrase, salt);
  let content: Uint8Array;
  try {
    content = new Uint8Array(await crypto.subtle.decrypt(gcm(nonce), key, ciphertext));
  } catch {
    throw new EncryptionError("wrong_passphrase", "the keys do not open with this passphrase");
  }
  const keys = keysSchema.parse(JSON.parse(new TextDecoder().decode(content)));
  content.fill(0);
  return Promise.all(
    keys.map(async ({ kid, private_key }) => {
      const privateKey = fromHex(private_key, 32);
      return { kid, publicKey: await encryptionPublicKey(privateKey), privateKey };
    }),
  );
}

function parseSealed(text: string): { salt: Uint8Array; nonce: Uint8Array; ciphertext: Uint8Array } {
  try {
    const { salt_b64u, nonce_b64u, ciphertext_b64u } = sealedSchema.parse(JSON.parse(text));
    return {
      salt: fromBase64Url(salt_b64u),
      nonce: fromBase64Url(nonce_b64u),
      ciphertext: fromBase64Url(ciphertext_b64u),
    };
  } catch {
    throw new EncryptionError("malformed_export", `not a text of the format ${FORMAT}`);
  }
}

function gcm(nonce: Uint8Array) {
  return { name: "AES-GCM", iv: nonce, additionalData: utf8(FORMAT) };
}

/** Normalized, so that the same passphrase typed on another system is the same bytes. */
async function passphraseKey(passphrase: string, salt: Uint8Array): Promise<CryptoKey> {
  if (passphrase === "") throw new EncryptionError("invalid_passphrase", "a passphrase is needed");
  const bytes = await scryptAsync(passphrase.normalize("NFKC"), salt, SCRYPT);
  const key = await crypto.subtle.importKey("raw", bytes, "AES-GCM", false, ["encrypt", "decrypt"]);
  bytes.fill(0);
  return key;
}
