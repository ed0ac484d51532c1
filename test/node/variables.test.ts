import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { unstable_readConfig } from "wrangler";
import { newVariables } from "../../scripts/lib/dev-vars.ts";
import { nameWarnings } from "../../scripts/lib/variable-names.ts";
import { VARIABLES } from "../../scripts/lib/variables.ts";
import { readConfig } from "../../src/config.ts";
import { ConfigError } from "../../src/errors.ts";
import { UNREAD_VARIABLES } from "../../src/unread-variables.ts";
import { readAnchorSettings } from "../../workers/anchor/src/settings.ts";

/** Every variable that operators may bring along from another sequencer. */
const FAMILIAR = `
  HOST PORT GRPC_PORT GRPC_DISABLED GRPC_REQUEST_TIMEOUT_SECS REQUEST_TIMEOUT_SECS
  DATABASE_URL READ_DATABASE_URL MAX_DB_CONNECTIONS MIN_DB_CONNECTIONS READ_MAX_DB_CONNECTIONS READ_MIN_DB_CONNECTIONS
  DB_ACQUIRE_TIMEOUT_MS DB_IDLE_TIMEOUT_SECS DB_MAX_LIFETIME_SECS READ_DB_ACQUIRE_TIMEOUT_MS READ_DB_IDLE_TIMEOUT_SECS
  READ_DB_MAX_LIFETIME_SECS DB_STATEMENT_TIMEOUT_MS DB_IDLE_IN_TX_TIMEOUT_MS DB_LOCK_TIMEOUT_MS DB_APPLICATION_NAME
  READ_DB_APPLICATION_NAME DB_MIGRATE_ON_STARTUP DB_STARTUP_MAX_RETRIES DB_STARTUP_RETRY_DELAY_SECS ALLOW_INSECURE_LOCAL_DB
  CACHE_COMMITMENT_MAX CACHE_COMMITMENT_TTL_SECS CACHE_PROOF_MAX CACHE_PROOF_TTL_SECS CACHE_VES_COMMITMENT_MAX
  CACHE_VES_COMMITMENT_TTL_SECS CACHE_VES_PROOF_MAX CACHE_VES_PROOF_TTL_SECS CACHE_AGENT_KEY_MAX CACHE_AGENT_KEY_TTL_SECS
  CACHE_SCHEMA_MAX CACHE_SCHEMA_TTL_SECS
  AUTH_MODE ALLOW_AUTH_DISABLED BOOTSTRAP_ADMIN_API_KEY JWT_SECRET JWT_ISSUER JWT_AUDIENCE SEQUENCER_ENV ENVIRONMENT
  ADMIN_IP_ALLOWLIST TRUST_PROXY_HEADERS TRUST_PROXY_ALLOWLIST
  RATE_LIMIT_PER_MINUTE RATE_LIMIT_MAX_ENTRIES RATE_LIMIT_WINDOW_SECONDS PUBLIC_AGENT_REGISTRATION_ENABLED
  PUBLIC_AGENT_REGISTRATION_RATE_LIMIT_PER_MINUTE PUBLIC_AGENT_REGISTRATION_RATE_LIMIT_MAX_ENTRIES
  PUBLIC_AGENT_REGISTRATION_RATE_LIMIT_WINDOW_SECONDS
  MAX_BODY_SIZE_BYTES MAX_EVENTS_PER_BATCH MAX_EVENT_PAYLOAD_SIZE
  PAYLOAD_ENCRYPTION_MODE PAYLOAD_ENCRYPTION_KEY PAYLOAD_ENCRYPTION_KEYS PAYLOAD_ENCRYPTION_KEYS_BY_TENANT
  SCHEMA_VALIDATION_MODE VES_SEQUENCER_ID VES_SEQUENCER_SIGNING_KEY VES_SEQUENCER_ML_DSA_SEED VES_SEQUENCER_SECURITY_PROFILE
  VES_STRICT_FORMAT_VALIDATION VES_STARK_VERIFY_ON_SUBMIT VES_STARK_VERIFY_CONCURRENCY AUDIT_LOG_ENABLED WORKER_LEADER_ELECTION
  L2_RPC_URL SET_REGISTRY_ADDRESS SEQUENCER_PRIVATE_KEY L2_CHAIN_ID ANCHOR_INTERVAL_SECS ANCHOR_BATCH_THRESHOLD
  ANCHOR_FINALITY_CONFIRMATIONS ANCHOR_FINALITY_POLL_SECS ANCHOR_RECONCILE_SECS CORS_ALLOW_ORIGINS
  RUST_LOG LOG_FORMAT LOG_LEVEL LOG_JSON LOG_CONSOLE
  OTEL_EXPORTER_OTLP_ENDPOINT OTEL_SERVICE_NAME OTEL_SERVICE_VERSION OTEL_SAMPLE_RATE
`
  .trim()
  .split(/\s+/);

const ALL = Object.values(VARIABLES).flat();
const READ = ALL.map(({ name }) => name);
const UNREAD = UNREAD_VARIABLES.flatMap(({ names }) => names);

const KEYS = { VES_SEQUENCER_SIGNING_KEY: "9d".repeat(32), PAYLOAD_ENCRYPTION_KEY: "4c".repeat(32) };
const ANCHORING = {
  L2_RPC_URL: "https://rpc.example.com",
  L2_CHAIN_ID: "8453",
  SET_REGISTRY_ADDRESS: `0x${"1".repeat(40)}`,
  SEQUENCER_PRIVATE_KEY: "1".repeat(64),
};

describe("the list of variables", () => {
  test("each familiar one is either read or told what is there instead", () => {
    expect(FAMILIAR.filter((name) => READ.includes(name) === UNREAD.includes(name))).toEqual([]);
    expect(UNREAD.filter((name) => !FAMILIAR.includes(name))).toEqual([]);
    expect(new Set(UNREAD).size).toBe(UNREAD.length);
  });

  test("wrangler.toml requires the secrets that the default configuration needs, and wrangler dev reads those of npm start", () => {
    const { secrets } = unstable_readConfig({ config: join(import.meta.dirname, "..", "..", "wrangler.toml") });
    expect(secrets?.required).toEqual(expect.arrayContaining(Object.keys(KEYS)));
    expect(secrets?.required?.toSorted()).toEqual(Object.keys(newVariables()).toSorted());
  });

  test("no program reads one of another, and each has a form and a meaning", () => {
    expect(new Set(READ).size).toBe(READ.length);
    for (const { name, form, meaning } of ALL) {
      expect(form, name).not.toBe("");
      expect(meaning, name).toMatch(/^[A-Z].*[^.]$/);
    }
  });

  test("secrets are marked, and nothing that sounds like one is forgotten", () => {
    const secrets = ALL.filter(({ isSecret }) => isSecret).map(({ name }) => name);
    const sounding = READ.filter(
      (name) => /(KEYS?|SECRET|RPC_URL|DATABASE_URL|BY_TENANT|HEADERS)$/.test(name) && !name.startsWith("TRUST"),
    );
    expect(secrets.toSorted()).toEqual(sounding.toSorted());
  });

  test("defaults are those that a Worker goes by", () => {
    const of = (name: string) => ALL.find((variable) => variable.name === name);
    expect(of("SEAL_MAX_EVENTS")).toMatchObject({
      form: "a whole number from 1 to 4096",
      fallback: "1024",
      isRequired: false,
    });
    expect(of("VES_SEQUENCER_SIGNING_KEY")).toMatchObject({ fallback: null, isRequired: true, isSecret: true });
    expect(of("SCHEMA_VALIDATION_MODE")).toMatchObject({ fallback: "warn" });
    expect(of("ALLOW_AUTH_DISABLED")).toMatchObject({ form: "true or false", fallback: "false" });
  });

  test("no Worker's code reads a variable past its schema", () => {
    const files = ["src", "workers"].flatMap((folder) =>
      readdirSync(folder, { recursive: true, encoding: "utf8" }).map((path) => join(folder, path)),
    );
    const passed = files
      .filter((path) => path.endsWith(".ts"))
      .flatMap((path) => readFileSync(path, "utf8").match(/\benv(\.|\[")[A-Z\d]+_[A-Z\d_]+|process\.env/g) ?? []);
    expect(passed).toEqual([]);
  });
});

/** What no variable takes but those that take any text. */
const WRONG = "wr0ng-value";
const READERS = { sequencer: readConfig, anchoring: readAnchorSettings };

describe.each(["sequencer", "anchoring"] as const)(
  "a wrong value is refused by name, and not repeated: %s",
  (program) => {
    const checked = VARIABLES[program].filter(({ form }) => form !== "text").map(({ name }) => name);
    test.each(checked)("%s", async (name) => {
      const read = async (): Promise<unknown> => READERS[program]({ ...KEYS, ...ANCHORING, [name]: WRONG });
      const error = await read().catch((caught: unknown) => caught);
      expect(error).toBeInstanceOf(ConfigError);
      expect((error as Error).message).toMatch(new RegExp(`^wrong configuration: ${name}(\\.0)?: \\S`));
      expect((error as Error).message).not.toContain(WRONG);
    });
  },
);

test("the key of a record that is a secret in the wrong place is not repeated", async () => {
  const given = { ...KEYS, PAYLOAD_ENCRYPTION_KEYS_BY_TENANT: JSON.stringify({ [WRONG]: ["11".repeat(32)] }) };
  await expect(readConfig(given)).rejects.toThrow(
    new ConfigError("wrong configuration: PAYLOAD_ENCRYPTION_KEYS_BY_TENANT: Invalid key in record"),
  );
});

describe("names that nobody reads", () => {
  test("in .dev.vars: each of them, with what is meant or what is there instead", () => {
    const file = { SEAL_MAX_EVENT: "1", MAX_DB_CONNECTIONS: "5", COLOUR: "red", WRANGLER_LOG: "error", PORT: "8080" };
    expect(nameWarnings({ ...KEYS, ...file }, {})).toEqual([
      ".dev.vars: SEAL_MAX_EVENT is not read. Is SEAL_MAX_EVENTS meant?",
      expect.stringMatching(/^\.dev\.vars: MAX_DB_CONNECTIONS is not read: Hyperdrive .*\.$/),
      ".dev.vars: COLOUR is not read.",
    ]);
  });

  test("in the environment: only what looks like one that is read", () => {
    const environment = {
      PATH: "/bin",
      HOME: "/",
      LANG: "C",
      XDG_SESSION_ID: "1",
      RUST_LOG: "info",
      ANCHOR_MAX_GASS: "1",
    };
    expect(nameWarnings({}, { ...environment, ...ANCHORING })).toEqual([
      "The environment's ANCHOR_MAX_GASS is not read. Is ANCHOR_MAX_GAS meant?",
    ]);
  });
});
