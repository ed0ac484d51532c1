import { z } from "zod";
import { apiKeyHash } from "./access/api-key.ts";
import { type ReceiptKeyring, receiptKeyring, type ReceiptKeySource } from "./ingest/receipt-keys.ts";
import { bytesField, timeField } from "./fields.ts";
import { MAX_PAYLOAD_BYTES, uuidField } from "./ves/index.ts";

/** Everything that a deployment can set, checked once per isolate. docs/configuration.md lists the variables. */
export interface Config {
  readonly bootstrapKeyHash: string | null;
  readonly apiKeyCacheMs: number;
  readonly receiptKeys: ReceiptKeyring;
  readonly maxBodyBytes: number;
  readonly maxEventsPerRequest: number;
  readonly maxPayloadBytes: number;
  readonly requireSignedExecutionControls: boolean;
  readonly requireProofOfPossession: boolean;
}

const seed = bytesField(32);

const retiredKeys = z.array(
  z.object({
    key_version: z.int().min(0),
    signing_key: seed,
    valid_from: timeField.nullish(),
    valid_to: timeField.nullish(),
  }),
);

function flag(fallback: boolean) {
  return z.stringbool({ truthy: ["1", "true", "yes", "on"], falsy: ["0", "false", "no", "off"] }).default(fallback);
}

function integer(fallback: number, min: number, max: number) {
  return z.coerce.number().int().min(min).max(max).default(fallback);
}

const variables = z.object({
  VES_SEQUENCER_SIGNING_KEY: seed,
  VES_SEQUENCER_KEY_VERSION: integer(1, 0, 2 ** 31 - 1),
  VES_SEQUENCER_RETIRED_KEYS: z
    .string()
    .default("[]")
    .transform((text, context) => {
      try {
        return JSON.parse(text) as unknown;
      } catch {
        context.addIssue({ code: "custom", message: "expected a JSON array" });
        return z.NEVER;
      }
    })
    .pipe(retiredKeys),
  VES_SEQUENCER_ID: uuidField.optional(),
  BOOTSTRAP_ADMIN_API_KEY: z.string().min(1).optional(),
  API_KEY_CACHE_TTL_SECS: integer(15, 0, 3_600),
  MAX_BODY_SIZE_BYTES: integer(10 * 1024 * 1024, 1_024, 12 * 1024 * 1024),
  MAX_EVENTS_PER_BATCH: integer(1_000, 1, 2_000),
  MAX_EVENT_PAYLOAD_SIZE: integer(MAX_PAYLOAD_BYTES, 1, MAX_PAYLOAD_BYTES),
  REQUIRE_SIGNED_EXECUTION_CONTROLS: flag(false),
  REQUIRE_PROOF_OF_POSSESSION: flag(false),
});

/** The settings are wrong: the server cannot serve. The message names each variable and what was expected of it. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/**
 * Reads the variables of a deployment. Empty ones count as absent.
 *
 * @throws ConfigError
 */
export async function readConfig(env: Readonly<Record<string, unknown>>): Promise<Config> {
  const given = Object.fromEntries(
    Object.entries(env).filter(([, value]) => typeof value === "string" && value !== ""),
  );
  const parsed = variables.safeParse(given);
  if (!parsed.success) {
    const problems = parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
    throw new ConfigError(`wrong configuration: ${problems.join("; ")}`);
  }
  const values = parsed.data;
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
