import { z } from "zod";
import { type Network, parseNetwork } from "./access/networks.ts";
import { payloadVariables } from "./at-rest/payload-variables.ts";
import { bytesField, timeField } from "./fields.ts";
import { SCHEMA_MODES, schemaModeOf } from "./ingest/schema-mode.ts";
import { MAX_PAYLOAD_BYTES, uuidField } from "./ves/index.ts";

/** Most events of one batch: whoever mirrors or restores it holds all of it in memory. */
export const MAX_BATCH_EVENTS = 4_096;

/** When a stream seals its events into a batch: when there are so many, or the oldest is so old. */
export interface SealLimits {
  readonly maxEvents: number;
  readonly maxAgeMs: number;
}

const DEFAULT_SEAL_LIMITS: SealLimits = { maxEvents: 1_024, maxAgeMs: 5_000 };

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

/** Text that holds JSON. */
function json(expected: string) {
  return z.string().transform((text, context): unknown => {
    try {
      return JSON.parse(text) as unknown;
    } catch {
      context.addIssue({ code: "custom", message: `expected ${expected}` });
      return z.NEVER;
    }
  });
}

/** What stands between commas, each read by `read`, which answers undefined to what it does not take. */
function list<Item>(expected: string, read: (text: string) => Item | undefined) {
  return z.string().transform((text, context): readonly Item[] => {
    const items = text.split(",").map((item) => read(item.trim()));
    if (!items.includes(undefined)) return items as Item[];
    context.addIssue({ code: "custom", message: `expected ${expected}` });
    return z.NEVER;
  });
}

const networks = list<Network>("addresses and CIDR blocks between commas", parseNetwork);

/** An origin as browsers send it. */
function readOrigin(text: string): string | undefined {
  const isExact = URL.canParse(text) && new URL(text).origin === text && /^https?:/.test(text);
  return isExact || text === "*" ? text : undefined;
}

const variables = z.object({
  VES_SEQUENCER_SIGNING_KEY: seed,
  VES_SEQUENCER_KEY_VERSION: integer(1, 0, 2 ** 31 - 1),
  VES_SEQUENCER_RETIRED_KEYS: json("a JSON array").pipe(retiredKeys).default([]),
  VES_SEQUENCER_ID: uuidField.optional(),
  SEQUENCER_ENV: z.string().optional(),
  ENVIRONMENT: z.string().optional(),
  AUTH_MODE: z.enum(["required", "disabled"]).default("required"),
  ALLOW_AUTH_DISABLED: flag(false),
  BOOTSTRAP_ADMIN_API_KEY: z.string().min(1).optional(),
  ...payloadVariables,
  API_KEY_CACHE_TTL_SECS: integer(15, 0, 3_600),
  JWT_SECRET: z.string().min(1).optional(),
  JWT_JWKS_JSON: json("a JSON Web Key Set").optional(),
  JWT_JWKS_URL: z.url({ protocol: /^https$/, error: "expected an https URL" }).optional(),
  JWT_ISSUER: z.string().default("stateset-sequencer"),
  JWT_AUDIENCE: z.string().default("stateset-api"),
  RATE_LIMIT_PER_MINUTE: z.coerce.number().int().min(1).max(10_000_000).optional(),
  RATE_LIMIT_WINDOW_SECONDS: integer(60, 1, 3_600),
  WRONG_KEY_RATE_LIMIT_PER_MINUTE: integer(60, 1, 100_000),
  PUBLIC_AGENT_REGISTRATION_ENABLED: flag(false),
  PUBLIC_AGENT_REGISTRATION_RATE_LIMIT_PER_MINUTE: integer(30, 1, 10_000),
  TRUST_PROXY_HEADERS: flag(false),
  TRUST_PROXY_ALLOWLIST: networks.optional(),
  ADMIN_IP_ALLOWLIST: networks.optional(),
  CORS_ALLOW_ORIGINS: list("exact origins between commas, or *", readOrigin)
    .refine((origins) => origins.length === 1 || !origins.includes("*"), "* stands alone")
    .optional(),
  MAX_BODY_SIZE_BYTES: integer(10 * 1024 * 1024, 1_024, 12 * 1024 * 1024),
  MAX_EVENTS_PER_BATCH: integer(1_000, 1, 2_000),
  MAX_EVENT_PAYLOAD_SIZE: integer(MAX_PAYLOAD_BYTES, 1, MAX_PAYLOAD_BYTES),
  SEAL_MAX_EVENTS: integer(DEFAULT_SEAL_LIMITS.maxEvents, 1, MAX_BATCH_EVENTS),
  SEAL_MAX_AGE_MS: integer(DEFAULT_SEAL_LIMITS.maxAgeMs, 100, 3_600_000),
  SCHEMA_VALIDATION_MODE: z
    .string()
    .default("warn")
    .transform((text, context) => {
      const mode = schemaModeOf(text);
      if (mode !== undefined) return mode;
      context.addIssue({
        code: "custom",
        message: `expected ${SCHEMA_MODES.join(", ")} or another name of one of them`,
      });
      return z.NEVER;
    }),
  REQUIRE_SIGNED_EXECUTION_CONTROLS: flag(false),
  REQUIRE_PROOF_OF_POSSESSION: flag(false),
});

/** The settings are wrong: the server cannot serve. The message names each variable and what was expected of it. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/** The variables of a deployment, read and checked, each under its own name. */
export type Settings = z.output<typeof variables>;

/**
 * Reads the variables of a deployment. Empty ones count as absent.
 *
 * @throws ConfigError
 */
export function readSettings(env: Readonly<Record<string, unknown>>): Settings {
  const given = Object.fromEntries(
    Object.entries(env).filter(([, value]) => typeof value === "string" && value !== ""),
  );
  const parsed = variables.safeParse(given);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
  throw new ConfigError(`wrong configuration: ${problems.join("; ")}`);
}

/**
 * When the streams of a deployment seal. With a wrong setting Workers refuse every request and say why, but streams must go
 * on with what they hold already: they seal by the defaults.
 */
export function sealLimits(env: Readonly<Record<string, unknown>>): SealLimits {
  try {
    const { SEAL_MAX_EVENTS, SEAL_MAX_AGE_MS } = readSettings(env);
    return { maxEvents: SEAL_MAX_EVENTS, maxAgeMs: SEAL_MAX_AGE_MS };
  } catch (error) {
    if (error instanceof ConfigError) return DEFAULT_SEAL_LIMITS;
    throw error;
  }
}
