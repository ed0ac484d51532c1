import { z } from "zod";
import { type Network, parseNetwork } from "./access/networks.ts";
import { payloadVariables } from "./at-rest/payload-variables.ts";
import { ConfigError } from "./errors.ts";
import { bytesField, timeField } from "./fields.ts";
import { SCHEMA_MODES, schemaModeOf } from "./ingest/schema-mode.ts";
import { observeVariables } from "./observe/variables.ts";
import { DEFAULT_SEAL_LIMITS, MAX_BATCH_EVENTS, type SealLimits } from "./stream/seal-limits.ts";
import { MAX_PAYLOAD_BYTES, uuidField } from "./ves/index.ts";

const seed = bytesField(32).meta({ form: "32 bytes in hex or base64" });

const retiredKeys = z.array(
  z.object({
    key_version: z.int().min(0),
    signing_key: seed,
    valid_from: timeField.nullish(),
    valid_to: timeField.nullish(),
  }),
);

/*
 * What a variable is for stands in its description, what its value may be in `form`, and secrets are marked `isSecret`:
 * docs/configuration.md is generated from that.
 */

/** In any case. */
function flag(fallback: boolean) {
  return z
    .stringbool({ truthy: ["1", "true", "yes", "on"], falsy: ["0", "false", "no", "off"] })
    .meta({ form: "true or false" })
    .default(fallback);
}

/** A whole number in decimal digits, as text. */
export function wholeNumber(min: number, max: number) {
  const expected = `a whole number from ${min} to ${max}`;
  return z
    .string({ error: `expected ${expected}` })
    .transform((text, context) => {
      const value = /^\d{1,16}$/.test(text.trim()) ? Number(text) : NaN;
      if (value >= min && value <= max) return value;
      context.addIssue({ code: "custom", message: `expected ${expected}` });
      return z.NEVER;
    })
    .meta({ form: expected });
}

function integer(fallback: number, min: number, max: number) {
  return wholeNumber(min, max).default(fallback);
}

/** Text that holds JSON. */
function json(expected: string) {
  return z
    .string()
    .meta({ form: expected })
    .transform((text, context): unknown => {
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
  return z
    .string()
    .meta({ form: expected })
    .transform((text, context): readonly Item[] => {
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

/** The variables of the Worker that serves the API. */
export const variables = z.object({
  VES_SEQUENCER_SIGNING_KEY: seed.meta({ description: "Seed of the Ed25519 key that signs receipts", isSecret: true }),
  VES_SEQUENCER_KEY_VERSION: integer(1, 0, 2 ** 31 - 1).describe("Number of that key; raise it with every rotation"),
  VES_SEQUENCER_RETIRED_KEYS: json("a JSON array").pipe(retiredKeys).default([]).meta({
    description:
      'Earlier keys, `[{"key_version": 1, "signing_key": "…", "valid_from": "…", "valid_to": "…"}]`: they re-issue receipts of their time and stay published',
    isSecret: true,
  }),
  VES_SEQUENCER_ID: uuidField
    .meta({ form: "a UUID" })
    .optional()
    .describe("What receipts name as `sequencerId`; made of the oldest key when unset"),
  SEQUENCER_ENV: z
    .string()
    .optional()
    .describe(
      "Label of the deployment; every one is [production](#production) but `local`, `dev`, `development`, `test`, `testing`, `ci`, `staging` and none",
    ),
  ENVIRONMENT: z.string().optional().describe("The label where `SEQUENCER_ENV` is not set"),
  AUTH_MODE: z
    .enum(["required", "disabled"])
    .default("required")
    .describe(
      "With `disabled`, whoever has no valid credential is the bootstrap administrator; it needs `ALLOW_AUTH_DISABLED`, and is not for production",
    ),
  ALLOW_AUTH_DISABLED: flag(false).describe("Says that `AUTH_MODE=disabled` is meant"),
  BOOTSTRAP_ADMIN_API_KEY: z.string().min(1).optional().meta({
    description: "The administrator's key for all tenants; in production 32 characters or more",
    isSecret: true,
  }),
  ...payloadVariables,
  API_KEY_CACHE_TTL_SECS: integer(15, 0, 3_600).describe(
    "Seconds for which an isolate may go on accepting an API key after it was revoked",
  ),
  JWT_SECRET: z
    .string()
    .min(1)
    .optional()
    .meta({ description: "Tokens by HS256 are verified with it; in production 32 characters or more", isSecret: true }),
  JWT_JWKS_JSON: json("a JSON Web Key Set")
    .optional()
    .describe("Tokens by RS256, PS256, ES256, ES384 and EdDSA are verified with its keys"),
  JWT_JWKS_URL: z
    .url({ protocol: /^https$/, error: "expected an https URL" })
    .meta({ form: "an https URL" })
    .optional()
    .describe("The same, with the set fetched from there; instead of `JWT_JWKS_JSON`"),
  JWT_ISSUER: z.string().default("stateset-sequencer").describe("What `iss` of a token must be"),
  JWT_AUDIENCE: z.string().default("stateset-api").describe("What `aud` of a token must be, or name among others"),
  RATE_LIMIT_PER_MINUTE: wholeNumber(1, 10_000_000)
    .optional()
    .describe(
      "Requests of one tenant in a minute, by all its credentials together; the bootstrap administrator has as many of its own; no limit when unset",
    ),
  RATE_LIMIT_WINDOW_SECONDS: integer(60, 1, 3_600).describe(
    "The window, in seconds, of the limits that API keys are given (`rateLimit`)",
  ),
  WRONG_KEY_RATE_LIMIT_PER_MINUTE: integer(60, 1, 100_000).describe(
    "API keys that do not exist from one address in a minute",
  ),
  PUBLIC_AGENT_REGISTRATION_ENABLED: flag(false).describe(
    "Lets agents register themselves at `/api/v1/agents/register`, each in a tenant of its own; what they send is accepted once an administrator has registered their signing keys",
  ),
  PUBLIC_AGENT_REGISTRATION_RATE_LIMIT_PER_MINUTE: integer(30, 1, 10_000).describe(
    "Attempts of one address in a minute",
  ),
  TRUST_PROXY_HEADERS: flag(false).describe("Believes `x-forwarded-for` of the proxies in the next one"),
  TRUST_PROXY_ALLOWLIST: networks.optional().describe("Proxies in front of Cloudflare"),
  ADMIN_IP_ALLOWLIST: networks
    .optional()
    .describe(
      "From where `/metrics`, `/health/detailed`, `/admin…` and `/api/v1/admin/…` may be reached; from everywhere when unset",
    ),
  CORS_ALLOW_ORIGINS: list("exact origins between commas, or *", readOrigin)
    .refine((origins) => origins.length === 1 || !origins.includes("*"), "* stands alone")
    .optional()
    .describe("Whose pages may call the API; nobody's when unset"),
  MAX_BODY_SIZE_BYTES: integer(10 * 1024 * 1024, 1_024, 12 * 1024 * 1024).describe("Largest request body"),
  MAX_EVENTS_PER_BATCH: integer(1_000, 1, 2_000).describe("Most events of one request"),
  MAX_EVENT_PAYLOAD_SIZE: integer(MAX_PAYLOAD_BYTES, 1, MAX_PAYLOAD_BYTES).describe(
    "Largest payload, in bytes of canonical JSON",
  ),
  SEAL_MAX_EVENTS: integer(DEFAULT_SEAL_LIMITS.maxEvents, 1, MAX_BATCH_EVENTS).describe(
    "Events of which a stream makes a batch at once",
  ),
  SEAL_MAX_AGE_MS: integer(DEFAULT_SEAL_LIMITS.maxAgeMs, 100, 3_600_000).describe(
    "Milliseconds after which an event is sealed at the latest",
  ),
  SCHEMA_VALIDATION_MODE: z
    .string()
    .meta({ form: SCHEMA_MODES.join(", ") })
    .default("warn")
    .transform((text, context) => {
      const mode = schemaModeOf(text);
      if (mode !== undefined) return mode;
      context.addIssue({
        code: "custom",
        message: `expected ${SCHEMA_MODES.join(", ")} or another name of one of them`,
      });
      return z.NEVER;
    })
    .describe("What becomes of events that do not match the schema of their type: see [schemas](schemas.md)"),
  VES_STRICT_FORMAT_VALIDATION: flag(false).describe(
    "Refuses events whose hashes and signatures are not 0x and lower-case hex, or whose base64url is padded",
  ),
  REQUIRE_SIGNED_EXECUTION_CONTROLS: flag(false).describe(
    "Refuses new events of version 1, whose signature does not cover the command and the base version",
  ),
  REQUIRE_PROOF_OF_POSSESSION: flag(false).describe("Demands proof of possession when a signing key is registered"),
  ...observeVariables,
});

/** The variables of a deployment, read and checked, each under its own name. */
export type Settings = z.output<typeof variables>;

/** Reads the variables of a deployment. @throws ConfigError */
export function readSettings(env: Readonly<Record<string, unknown>>): Settings {
  return readVariables(variables, env);
}

/**
 * Reads those variables of `env` that `schema` names. Empty ones count as absent. Secrets and command lines give text; what
 * wrangler.toml gives as a number, a boolean or a table counts as the text of it.
 *
 * @throws ConfigError which names every variable that is wrong, and repeats no value
 */
export function readVariables<Shape extends z.ZodRawShape>(
  schema: z.ZodObject<Shape>,
  env: Readonly<Record<string, unknown>>,
): z.output<z.ZodObject<Shape>> {
  const given = Object.fromEntries(
    Object.keys(schema.shape).flatMap((name) => {
      const value = env[name] ?? "";
      return value === "" ? [] : [[name, typeof value === "string" ? value : JSON.stringify(value)]];
    }),
  );
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => {
    const name = String(issue.path[0]);
    if (!(name in given)) return `${name} is missing`;
    // The keys of a record are as much given as its values are.
    const path = issue.code === "invalid_key" ? [name] : issue.path;
    return `${path.join(".")}: ${issue.message}`;
  });
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
