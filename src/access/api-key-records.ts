import type { Config } from "../config.ts";
import { WrongKeys } from "../limits/wrong-keys.ts";
import type { ApiKeyRecord } from "../tenant/messages.ts";
import { registryStub } from "../tenant/registry-client.ts";
import { clientOf } from "./client-address.ts";
import { ExpiringCache } from "./expiring-cache.ts";
import { limitExceeded } from "./limit-headers.ts";

/** Keys that this isolate has looked up lately: 10,000 of about 300 bytes. */
const known = new ExpiringCache<ApiKeyRecord>(10_000);
/** Keys that do not exist, apart from the others: whoever makes up keys must not push out real ones. */
const unknown = new ExpiringCache<true>(1_000);
const wrongKeys = new WrongKeys();

/** A key by its hash, and the tenant that it names. */
interface NamedKey {
  readonly tenantId: string;
  readonly keyHash: string;
}

/**
 * What is stored of the key, as of API_KEY_CACHE_TTL_SECS ago at most; null when it does not exist.
 *
 * @throws RequestError RATE_LIMIT_EXCEEDED when too many keys from the request's address did not exist
 */
export async function apiKeyRecord(
  key: NamedKey,
  headers: Headers,
  env: Env,
  config: Config,
): Promise<ApiKeyRecord | null> {
  const { keyHash } = key;
  if (unknown.get(keyHash, config.apiKeyCacheMs)) return null;
  const cached = known.get(keyHash, config.apiKeyCacheMs);
  if (cached !== undefined) return cached;
  // A key that this isolate has seen before is not made up, whoever else sends keys from its address.
  if (known.get(keyHash, Infinity) !== undefined) return lookUp(key, env);

  const client = clientOf(headers, config.trustedProxies);
  const amount = config.wrongKeysPerMinute;
  const resetMs = wrongKeys.waitMs(client, Date.now());
  if (resetMs > 0) {
    const message = `An address may try ${amount} API keys that do not exist in a minute`;
    throw limitExceeded(message, { amount, remaining: 0, resetMs });
  }
  const record = await lookUp(key, env);
  if (record === null) await wrongKeys.count(env, client, amount);
  return record;
}

async function lookUp({ tenantId, keyHash }: NamedKey, env: Env): Promise<ApiKeyRecord | null> {
  // The age counts from before the question: what is answered may have changed right after.
  const asked = Date.now();
  const record = await registryStub(env, tenantId).apiKey(keyHash);
  if (record === null) unknown.set(keyHash, true, asked);
  else known.set(keyHash, record, asked);
  return record;
}
