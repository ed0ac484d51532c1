import { apiKeyHash } from "./access/api-key.ts";
import { checkAccessSettings } from "./access/check-settings.ts";
import type { JwtVerifier } from "./access/jwt.ts";
import type { Network } from "./access/networks.ts";
import { jwtVerifierOf } from "./access/token-issuers.ts";
import { payloadKeyrings, type PayloadKeyrings } from "./at-rest/payload-keyrings.ts";
import { type ReceiptKeyring, receiptKeyring, type ReceiptKeySource } from "./ingest/receipt-keys.ts";
import type { SchemaMode } from "./ingest/schema-mode.ts";
import { ConfigError } from "./errors.ts";
import { readSettings } from "./settings.ts";

/** Everything that a Worker's requests depend on, checked once per isolate. docs/configuration.md lists the variables. */
export interface Config {
  /** False: whoever has no valid credential is the bootstrap administrator. */
  readonly isAuthRequired: boolean;
  readonly bootstrapKeyHash: string | null;
  readonly apiKeyCacheMs: number;
  /** Null: this deployment accepts no tokens. */
  readonly jwt: JwtVerifier | null;
  /** How many requests a tenant may make in a minute; null: any number. */
  readonly requestsPerMinute: number | null;
  /** The window of the limits that API keys have of their own. */
  readonly keyWindowSeconds: number;
  /** How many API keys that do not exist are looked up for one address in a minute. */
  readonly wrongKeysPerMinute: number;
  /** How many agents may register themselves from one address in a minute; null: none may. */
  readonly registrationsPerMinute: number | null;
  /** Proxies whose X-Forwarded-For is believed. */
  readonly trustedProxies: readonly Network[];
  /** From where the administrative routes may be reached; null: from everywhere. */
  readonly adminNetworks: readonly Network[] | null;
  /** Whose pages may call this server, `*` for all; null: nobody's. */
  readonly corsOrigins: readonly string[] | null;
  readonly receiptKeys: ReceiptKeyring;
  readonly payloadKeys: PayloadKeyrings;
  readonly maxBodyBytes: number;
  readonly maxEventsPerRequest: number;
  readonly maxPayloadBytes: number;
  readonly schemaMode: SchemaMode;
  /** Whether hashes, signatures and base64url of events are taken in one spelling only. */
  readonly requireStrictForms: boolean;
  readonly requireSignedExecutionControls: boolean;
  readonly requireProofOfPossession: boolean;
}

/**
 * Reads the variables of a deployment and loads its keys.
 *
 * @throws ConfigError
 */
export async function readConfig(env: Readonly<Record<string, unknown>>): Promise<Config> {
  const values = readSettings(env);
  checkAccessSettings(values);
  const current: ReceiptKeySource = {
    version: values.VES_SEQUENCER_KEY_VERSION,
    seed: values.VES_SEQUENCER_SIGNING_KEY,
    validFrom: null,
    validTo: null,
  };
  const retired = values.VES_SEQUENCER_RETIRED_KEYS.map((key): ReceiptKeySource => ({
    version: key.key_version,
    seed: key.signing_key,
    validFrom: key.valid_from ?? null,
    validTo: key.valid_to ?? null,
  }));
  if (retired.some(({ version }) => version >= current.version)) {
    throw new ConfigError("wrong configuration: VES_SEQUENCER_KEY_VERSION must be above every retired key's version");
  }
  const bootstrapKey = values.BOOTSTRAP_ADMIN_API_KEY;
  return {
    isAuthRequired: values.AUTH_MODE === "required",
    bootstrapKeyHash: bootstrapKey === undefined ? null : apiKeyHash(bootstrapKey),
    apiKeyCacheMs: values.API_KEY_CACHE_TTL_SECS * 1_000,
    jwt: await jwtVerifierOf(values),
    requestsPerMinute: values.RATE_LIMIT_PER_MINUTE ?? null,
    keyWindowSeconds: values.RATE_LIMIT_WINDOW_SECONDS,
    wrongKeysPerMinute: values.WRONG_KEY_RATE_LIMIT_PER_MINUTE,
    registrationsPerMinute: values.PUBLIC_AGENT_REGISTRATION_ENABLED
      ? values.PUBLIC_AGENT_REGISTRATION_RATE_LIMIT_PER_MINUTE
      : null,
    trustedProxies: values.TRUST_PROXY_HEADERS ? (values.TRUST_PROXY_ALLOWLIST ?? []) : [],
    adminNetworks: values.ADMIN_IP_ALLOWLIST ?? null,
    corsOrigins: values.CORS_ALLOW_ORIGINS ?? null,
    receiptKeys: await receiptKeyring(current, retired, values.VES_SEQUENCER_ID),
    payloadKeys: payloadKeyrings(values),
    maxBodyBytes: values.MAX_BODY_SIZE_BYTES,
    maxEventsPerRequest: values.MAX_EVENTS_PER_BATCH,
    maxPayloadBytes: values.MAX_EVENT_PAYLOAD_SIZE,
    schemaMode: values.SCHEMA_VALIDATION_MODE,
    requireStrictForms: values.VES_STRICT_FORMAT_VALIDATION,
    requireSignedExecutionControls: values.REQUIRE_SIGNED_EXECUTION_CONTROLS,
    requireProofOfPossession: values.REQUIRE_PROOF_OF_POSSESSION,
  };
}

const known = new WeakMap<Env, Config>();

/** {@link readConfig}, once for each isolate. */
export async function configOf(env: Env): Promise<Config> {
  const config = known.get(env) ?? (await readConfig(env as unknown as Record<string, unknown>));
  known.set(env, config);
  return config;
}
