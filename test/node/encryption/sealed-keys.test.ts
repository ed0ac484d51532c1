import { expect, test } from "vitest";
import { generateEncryptionKey, openSealedKeys, sealKeys } from "../../../agent/src/encryption/index.ts";
import { fromBase64Url, toBase64, toBase64Url, toHex } from "../../../src/ves/index.ts";

const PASSPHRASE = "correct horse ﬀ Å";
const keys = [await generateEncryptionKey(), { ...(await generateEncryptionKey()), kid: 7 }];
const sealed = await sealKeys(keys, PASSPHRASE);

test("keys come back with their kids, however the passphrase was typed", async () => {
  expect(await openSealedKeys(sealed, "correct horse ff A\u030a")).toEqual(keys);
});

test("another passphrase does not open them, nor does an altered text", async () => {
  await expect(openSealedKeys(sealed, "correct horse")).rejects.toMatchObject({ code: "wrong_passphrase" });
  const parts = JSON.parse(sealed) as Record<string, string>;
  const bytes = fromBase64Url(parts["ciphertext_b64u"] ?? "");
  bytes[3] = (bytes[3] ?? 0) ^ 1;
  const altered = JSON.stringify({ ...parts, ciphertext_b64u: toBase64Url(bytes) });
  await expect(openSealedKeys(altered, PASSPHRASE)).rejects.toMatchObject({ code: "wrong_passphrase" });
});

test("the text holds no key, and is another one each time", async () => {
  for (const { privateKey } of keys) {
    for (const form of [toHex(privateKey), toBase64(privateKey), toBase64Url(privateKey)])
      expect(sealed).not.toContain(form);
  }
  expect(await sealKeys(keys, PASSPHRASE)).not.toBe(sealed);
});

test.each([
  "",
  "{}",
  "[]",
  sealed.replace("VES_SEALED_KEYS_V1", "VES_SEALED_KEYS_V2"),
  sealed.replace('_b64u":"', '_b64u":"!'),
])("%j is no such text", async (text) => {
  await expect(openSealedKeys(text, PASSPHRASE)).rejects.toMatchObject({ code: "malformed_export" });
});

test("a passphrase is needed", async () => {
  await expect(sealKeys(keys, "")).rejects.toMatchObject({ code: "invalid_passphrase" });
});
