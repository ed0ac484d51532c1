import type { Config } from "../config.ts";
import { RequestError } from "../errors.ts";
import type { ApiKeyRecord } from "../tenant/messages.ts";
import { registryStub } from "../tenant/registry-client.ts";
import { ExpiringCache } from "./expiring-cache.ts";
import { apiKeyHash, tenantOfApiKey } from "./api-key.ts";
import { type Credential, credentialOf } from "./credentials.ts";
import { BOOTSTRAP_ADMIN, type Principal } from "./principal.ts";

/** Keys looked up lately by this isolate, unknown ones too: 10,000 of about 300 bytes. */
const lookedUp = new ExpiringCache<ApiKeyRecord | null>(10_000);

/**
 * Finds out who a request comes from.
 *
 * @throws RequestError AUTH_REQUIRED, INVALID_API_KEY or INVALID_TOKEN
 */
export async function authenticate(headers: Headers, env: Env, config: Config): Promise<Principal> {
  const credential = credentialOf(headers);
  return credential.kind === "jwt" ? principalOfToken() : principalOfKey(credential, env, config);
}

async function principalOfKey(credential: Credential, env: Env, config: Config): Promise<Principal> {
  const keyHash = apiKeyHash(credential.text);
  // Hashes are compared, so the time this takes tells nothing about the key.
  if (keyHash === config.bootstrapKeyHash) return BOOTSTRAP_ADMIN;

  const tenantId = tenantOfApiKey(credential.text);
  if (tenantId === undefined) throw invalidApiKey();
  const key = await lookedUp.get(keyHash, config.apiKeyCacheMs, () => registryStub(env, tenantId).apiKey(keyHash));
  if (key === null || key.revokedAt !== null || (key.expiresAt !== null && key.expiresAt <= Date.now())) {
    throw invalidApiKey();
  }
  const { storeIds, permissions, agentId, expiresAt } = key;
  return { tenantId, storeIds, permissions, agentId, expiresAt };
}

/** The same words for unknown, revoked and expired keys: the answer tells a finder of a key nothing about it. */
function invalidApiKey(): RequestError {
  return new RequestError("INVALID_API_KEY", "Invalid API key");
}

/** Tokens take their place here; this deployment has no issuer configured for them. */
function principalOfToken(): never {
  throw new RequestError("INVALID_TOKEN", "This deployment does not accept JWTs: use an API key");
}
