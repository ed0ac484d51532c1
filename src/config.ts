import { apiKeyHash } from "./access/api-key.ts";
import { payloadKeyrings, type PayloadKeyrings } from "./at-rest/payload-keyrings.ts";
import { type ReceiptKeyring, receiptKeyring, type ReceiptKeySource } from "./ingest/receipt-keys.ts";
import { ConfigError, readSettings } from "./settings.ts";

/** Everything that a Worker's requests depend on, checked once per isolate. docs/configuration.md lists the variables. */
export interface Config {
  readonly bootstrapKeyHash: string | null;
  readonly apiKeyCacheMs: number;
  readonly receiptKeys: ReceiptKeyring;
  readonly payloadKeys: PayloadKeyrings;
  readonly maxBodyBytes: number;
  readonly maxEventsPerRequest: number;
  readonly maxPayloadBytes: number;
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
    bootstrapKeyHash: bootstrapKey === undefined ? null : apiKeyHash(bootstrapKey),
    apiKeyCacheMs: values.API_KEY_CACHE_TTL_SECS * 1_000,
    receiptKeys: await receiptKeyring(current, retired, values.VES_SEQUENCER_ID),
    payloadKeys: payloadKeyrings(values),
    maxBodyBytes: values.MAX_BODY_SIZE_BYTES,
    maxEventsPerRequest: values.MAX_EVENTS_PER_BATCH,
    maxPayloadBytes: values.MAX_EVENT_PAYLOAD_SIZE,
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
