import { fromBase64Url, sha256, toBase64Url, toHex, utf8, uuidBytes, uuidFromBytes } from "../ves/index.ts";

/*
 * A minted API key is `ss_` and 40 bytes in base64url: the 16 of its tenant's id, so that the tenant's registry is found
 * without a global index, and 24 random ones. 192 random bits need no salt or slow hash against guessing.
 */
export const API_KEY_PREFIX = "ss_";
const TENANT_BYTES = 16;
const RANDOM_BYTES = 24;

export function mintApiKey(tenantId: string): string {
  const random = crypto.getRandomValues(new Uint8Array(RANDOM_BYTES));
  return API_KEY_PREFIX + toBase64Url(uuidBytes(tenantId)) + toBase64Url(random);
}

/** The tenant that a minted key names, or undefined when the text is not of a minted key's form. */
export function tenantOfApiKey(key: string): string | undefined {
  const tenantLength = Math.ceil((TENANT_BYTES * 4) / 3);
  const randomLength = (RANDOM_BYTES * 4) / 3;
  if (!key.startsWith(API_KEY_PREFIX) || key.length !== API_KEY_PREFIX.length + tenantLength + randomLength) {
    return undefined;
  }
  try {
    const tenant = fromBase64Url(key.slice(API_KEY_PREFIX.length, API_KEY_PREFIX.length + tenantLength));
    fromBase64Url(key.slice(API_KEY_PREFIX.length + tenantLength));
    return uuidFromBytes(tenant);
  } catch {
    return undefined;
  }
}

/** Lowercase hex SHA-256 of the whole key text: all that is ever stored of a key. */
export function apiKeyHash(key: string): string {
  return toHex(sha256(utf8(key)));
}
