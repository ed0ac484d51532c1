import type { Config } from "../config.ts";
import { ERROR_CODES, RequestError } from "../errors.ts";
import { inSpan } from "../observe/spans.ts";
import { apiKeyHash, tenantOfApiKey } from "./api-key.ts";
import { apiKeyRecord } from "./api-key-records.ts";
import { type Credential, credentialOf } from "./credentials.ts";
import { ANYBODY, BOOTSTRAP_ADMIN, type Principal } from "./principal.ts";

/**
 * Finds out who a request comes from. Where no authentication is required, whoever has no valid credential may do what the
 * bootstrap administrator may.
 *
 * @throws RequestError AUTH_REQUIRED, INVALID_API_KEY, INVALID_TOKEN or TOKEN_EXPIRED; RATE_LIMIT_EXCEEDED when its address
 * has sent too many API keys that do not exist; SERVICE_UNAVAILABLE when it cannot be found out
 */
export function authenticate(headers: Headers, env: Env, config: Config): Promise<Principal> {
  return inSpan("authenticate", {}, () => principalOf(headers, env, config));
}

async function principalOf(headers: Headers, env: Env, config: Config): Promise<Principal> {
  try {
    const credential = credentialOf(headers);
    return await (credential.kind === "jwt"
      ? principalOfToken(credential, config)
      : principalOfKey(credential, headers, env, config));
  } catch (error) {
    const isUnknown = error instanceof RequestError && ERROR_CODES[error.code].status === 401;
    if (isUnknown && !config.isAuthRequired) return ANYBODY;
    throw error;
  }
}

async function principalOfToken({ text }: Credential, { jwt }: Config): Promise<Principal> {
  if (jwt === null) throw new RequestError("INVALID_TOKEN", "This deployment does not accept JWTs: use an API key");
  return jwt.verify(text);
}

async function principalOfKey(credential: Credential, headers: Headers, env: Env, config: Config): Promise<Principal> {
  const keyHash = apiKeyHash(credential.text);
  // Hashes are compared, so the time this takes tells nothing about the key.
  if (keyHash === config.bootstrapKeyHash) return BOOTSTRAP_ADMIN;

  const tenantId = tenantOfApiKey(credential.text);
  if (tenantId === undefined) throw invalidApiKey();
  const key = await apiKeyRecord({ tenantId, keyHash }, headers, env, config);
  if (key === null || key.revokedAt !== null || (key.expiresAt !== null && key.expiresAt <= Date.now())) {
    throw invalidApiKey();
  }
  const { storeIds, permissions, agentId, expiresAt, rateLimit } = key;
  const identity = { kind: "api_key", tenantId, agentId, credentialId: keyHash, tokenId: null } as const;
  return { ...identity, storeIds, permissions, expiresAt, rateLimit, limitId: key.limitKeyHash ?? keyHash };
}

/** The same words for unknown, revoked and expired keys: the answer tells a finder of a key nothing about it. */
function invalidApiKey(): RequestError {
  return new RequestError("INVALID_API_KEY", "Invalid API key");
}
