import { describe, expect, test } from "vitest";
import { payloadKey } from "../../src/at-rest/payload-key.ts";
import { readConfig } from "../../src/config.ts";
import { ConfigError } from "../../src/errors.ts";
import { issueReceipt } from "../../src/ingest/receipt.ts";
import { verifyEd25519, fromHex } from "../../src/ves/index.ts";
import { uuid } from "../support/checked-events.ts";

const SEED = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
const OTHER_SEED = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb";
const PUBLIC_KEY_TEXT = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
const PUBLIC_KEY = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
/** What every configuration needs beside its signing key. */
const PAYLOAD_KEY = { PAYLOAD_ENCRYPTION_KEY: OTHER_SEED };
const RETIRED = JSON.stringify([{ key_version: 1, signing_key: SEED, valid_to: "2026-06-01T00:00:00Z" }]);

describe("configuration", () => {
  test("needs nothing but a signing key and a key for payloads", async () => {
    const config = await readConfig({ ...PAYLOAD_KEY, VES_SEQUENCER_SIGNING_KEY: SEED });
    expect(config).toMatchObject({
      bootstrapKeyHash: null,
      apiKeyCacheMs: 15_000,
      maxBodyBytes: 10 * 1024 * 1024,
      maxEventsPerRequest: 1_000,
      maxPayloadBytes: 1024 * 1024,
      schemaMode: "warn",
      requireStrictForms: false,
      requireSignedExecutionControls: false,
      requireProofOfPossession: false,
      isAuthRequired: true,
      jwt: null,
      requestsPerMinute: null,
      keyWindowSeconds: 60,
      wrongKeysPerMinute: 60,
      registrationsPerMinute: null,
      trustedProxies: [],
      adminNetworks: null,
      corsOrigins: null,
    });
    expect(config.receiptKeys.current.version).toBe(1);
  });

  test.each([
    ["hex", SEED],
    ["0x hex", `0x${SEED.toUpperCase()}`],
    ["base64", Buffer.from(SEED, "hex").toString("base64")],
    ["base64url", Buffer.from(SEED, "hex").toString("base64url")],
  ])("a key in %s", async (_, text) => {
    const { receiptKeys } = await readConfig({ ...PAYLOAD_KEY, VES_SEQUENCER_SIGNING_KEY: text });
    expect(receiptKeys.current.key.publicKey).toEqual(fromHex(PUBLIC_KEY));
  });

  test.each([
    [{}, /VES_SEQUENCER_SIGNING_KEY is missing/],
    [{ VES_SEQUENCER_SIGNING_KEY: "" }, /VES_SEQUENCER_SIGNING_KEY is missing/],
    [{ VES_SEQUENCER_SIGNING_KEY: SEED.slice(2) }, /VES_SEQUENCER_SIGNING_KEY: expected 32 bytes/],
    [{ VES_SEQUENCER_SIGNING_KEY: SEED, MAX_EVENTS_PER_BATCH: "many" }, /MAX_EVENTS_PER_BATCH/],
    ...["0", "2001", "1.5", "1e2", "-1", "0x10", " "].map((number): [Record<string, string>, RegExp] => [
      { VES_SEQUENCER_SIGNING_KEY: SEED, MAX_EVENTS_PER_BATCH: number },
      /MAX_EVENTS_PER_BATCH: expected a whole number from 1 to 2000$/,
    ]),
    [{ VES_SEQUENCER_SIGNING_KEY: SEED, RATE_LIMIT_PER_MINUTE: "0" }, /RATE_LIMIT_PER_MINUTE/],
    [{ VES_SEQUENCER_SIGNING_KEY: SEED, RATE_LIMIT_WINDOW_SECONDS: "1.5" }, /RATE_LIMIT_WINDOW_SECONDS/],
    [{ VES_SEQUENCER_SIGNING_KEY: SEED, WRONG_KEY_RATE_LIMIT_PER_MINUTE: "off" }, /WRONG_KEY_RATE_LIMIT_PER_MINUTE/],
    [{ VES_SEQUENCER_SIGNING_KEY: SEED, REQUIRE_PROOF_OF_POSSESSION: "maybe" }, /REQUIRE_PROOF_OF_POSSESSION/],
    [
      { VES_SEQUENCER_SIGNING_KEY: SEED, SCHEMA_VALIDATION_MODE: "yes" },
      /SCHEMA_VALIDATION_MODE: expected disabled, warn, enforce, required or another name of one of them/,
    ],
    [{ VES_SEQUENCER_SIGNING_KEY: SEED, VES_SEQUENCER_ID: "seq-1" }, /VES_SEQUENCER_ID/],
    [{ VES_SEQUENCER_SIGNING_KEY: SEED, VES_SEQUENCER_RETIRED_KEYS: "[" }, /VES_SEQUENCER_RETIRED_KEYS/],
    [{ VES_SEQUENCER_SIGNING_KEY: SEED }, /PAYLOAD_ENCRYPTION_KEY: there is none/],
    [
      { VES_SEQUENCER_SIGNING_KEY: SEED, PAYLOAD_ENCRYPTION_MODE: "optional" },
      /there is none, .* \(PAYLOAD_ENCRYPTION_MODE is optional\)/,
    ],
    [{ VES_SEQUENCER_SIGNING_KEY: SEED, PAYLOAD_ENCRYPTION_MODE: "maybe" }, /expected required, optional or disabled/],
    [{ VES_SEQUENCER_SIGNING_KEY: SEED, PAYLOAD_ENCRYPTION_KEY: "ab" }, /PAYLOAD_ENCRYPTION_KEY: expected 32 bytes/],
    [
      { VES_SEQUENCER_SIGNING_KEY: SEED, PAYLOAD_ENCRYPTION_KEYS: `${SEED},` },
      /PAYLOAD_ENCRYPTION_KEYS.1: expected 32/,
    ],
    [{ VES_SEQUENCER_SIGNING_KEY: SEED, PAYLOAD_ENCRYPTION_KEYS_BY_TENANT: "[" }, /BY_TENANT: expected a JSON object/],
    [
      { VES_SEQUENCER_SIGNING_KEY: SEED, PAYLOAD_ENCRYPTION_KEYS_BY_TENANT: `{"shop": ["${SEED}"]}` },
      /PAYLOAD_ENCRYPTION_KEYS_BY_TENANT/,
    ],
    [
      { VES_SEQUENCER_SIGNING_KEY: SEED, PAYLOAD_ENCRYPTION_KEYS_BY_TENANT: `{"${uuid(1, 1)}": []}` },
      /PAYLOAD_ENCRYPTION_KEYS_BY_TENANT/,
    ],
    [{ VES_SEQUENCER_SIGNING_KEY: OTHER_SEED, VES_SEQUENCER_RETIRED_KEYS: RETIRED }, /VES_SEQUENCER_KEY_VERSION/],
  ])("%j is refused with the variable's name, and without the secret", async (variables, message) => {
    const error = await readConfig(variables).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(ConfigError);
    expect((error as Error).message).toMatch(message);
    expect((error as Error).message).not.toContain(SEED.slice(2));
  });

  const LONG = "x".repeat(32);
  const SHORT = "x".repeat(31);
  const OFF = { AUTH_MODE: "disabled", ALLOW_AUTH_DISABLED: "true" };
  const read = (variables: Record<string, string>) =>
    readConfig({ ...PAYLOAD_KEY, VES_SEQUENCER_SIGNING_KEY: SEED, ...variables });

  test.each<[Record<string, string>, string]>([
    [{ AUTH_MODE: "off" }, 'AUTH_MODE: Invalid option: expected one of "required"|"disabled"'],
    [{ AUTH_MODE: "disabled" }, "AUTH_MODE=disabled needs ALLOW_AUTH_DISABLED=true beside it"],
    [
      { ...OFF, SEQUENCER_ENV: "production" },
      "AUTH_MODE=disabled is not for production, which the label production stands for",
    ],
    [{ ...OFF, ENVIRONMENT: "Live" }, "AUTH_MODE=disabled is not for production, which the label live stands for"],
    [
      { ...OFF, SEQUENCER_ENV: "eu-1", ENVIRONMENT: "dev" },
      "AUTH_MODE=disabled is not for production, which the label eu-1 stands for",
    ],
    [
      { SEQUENCER_ENV: "prod", BOOTSTRAP_ADMIN_API_KEY: SHORT },
      "BOOTSTRAP_ADMIN_API_KEY must have 32 characters or more in production",
    ],
    [{ ENVIRONMENT: "prod", JWT_SECRET: SHORT }, "JWT_SECRET must have 32 characters or more in production"],
    [{ JWT_JWKS_URL: "http://id.example.com/keys" }, "JWT_JWKS_URL: expected an https URL"],
    [{ JWT_JWKS_URL: "id.example.com" }, "JWT_JWKS_URL: expected an https URL"],
    [
      { JWT_JWKS_URL: "https://id.example.com/keys", JWT_JWKS_JSON: '{"keys":[]}' },
      "JWT_JWKS_JSON and JWT_JWKS_URL are two answers to one question: set one of them",
    ],
    [
      { PUBLIC_AGENT_REGISTRATION_RATE_LIMIT_PER_MINUTE: "0" },
      "PUBLIC_AGENT_REGISTRATION_RATE_LIMIT_PER_MINUTE: expected a whole number from 1 to 10000",
    ],
    [
      { TRUST_PROXY_HEADERS: "true" },
      "TRUST_PROXY_HEADERS=true needs TRUST_PROXY_ALLOWLIST, the addresses of the proxies",
    ],
    [
      { TRUST_PROXY_ALLOWLIST: "10.0.0.1/8" },
      "TRUST_PROXY_ALLOWLIST: expected addresses and CIDR blocks between commas",
    ],
    [{ ADMIN_IP_ALLOWLIST: "10.0.0.1," }, "ADMIN_IP_ALLOWLIST: expected addresses and CIDR blocks between commas"],
    ...["example.com", "https://example.com/", "https://EXAMPLE.com", "null", "ftp://example.com", ","].map(
      (origins): [Record<string, string>, string] => [
        { CORS_ALLOW_ORIGINS: origins },
        "CORS_ALLOW_ORIGINS: expected exact origins between commas, or *",
      ],
    ),
    [{ CORS_ALLOW_ORIGINS: "*,https://example.com" }, "CORS_ALLOW_ORIGINS: * stands alone"],
  ])("%j is refused: %s", async (variables, message) => {
    await expect(read(variables)).rejects.toThrow(new ConfigError(`wrong configuration: ${message}`));
  });

  test.each<Record<string, string>>([
    { SEQUENCER_ENV: "production", BOOTSTRAP_ADMIN_API_KEY: LONG, JWT_SECRET: LONG },
    { SEQUENCER_ENV: "production", ALLOW_AUTH_DISABLED: "true" },
    { BOOTSTRAP_ADMIN_API_KEY: "x", JWT_SECRET: "x" },
    { SEQUENCER_ENV: " Staging ", ENVIRONMENT: "production", JWT_SECRET: SHORT },
    ...["local", "dev", "development", "test", "testing", "ci", "staging"].map((label) => ({
      ...OFF,
      ENVIRONMENT: label,
    })),
    OFF,
    { JWT_JWKS_URL: "https://id.example.com/keys" },
    { TRUST_PROXY_HEADERS: "true", TRUST_PROXY_ALLOWLIST: "10.0.0.0/8, ::1" },
    { ADMIN_IP_ALLOWLIST: "192.0.2.1 , 2001:db8::/32" },
    { CORS_ALLOW_ORIGINS: "https://example.com, http://localhost:3000" },
    { CORS_ALLOW_ORIGINS: "*" },
  ])("%j is served", async (variables) => {
    await expect(read(variables)).resolves.toBeDefined();
  });

  test("an allow-list of proxies counts for nothing unless their headers are trusted", async () => {
    const TRUST_PROXY_ALLOWLIST = "10.0.0.0/8";
    expect((await read({ TRUST_PROXY_ALLOWLIST })).trustedProxies).toEqual([]);
    expect((await read({ TRUST_PROXY_ALLOWLIST, TRUST_PROXY_HEADERS: "1" })).trustedProxies).toHaveLength(1);
  });

  test("what wrangler.toml gives as a number, a boolean or a table counts as the text of it", async () => {
    const jwks = { keys: [{ kty: "OKP", crv: "Ed25519", x: PUBLIC_KEY_TEXT, kid: "1", alg: "EdDSA" }] };
    const given = { MAX_EVENTS_PER_BATCH: 7, REQUIRE_PROOF_OF_POSSESSION: true, JWT_JWKS_JSON: jwks };
    const config = await readConfig({ ...PAYLOAD_KEY, VES_SEQUENCER_SIGNING_KEY: SEED, ...given });
    expect(config).toMatchObject({ maxEventsPerRequest: 7, requireProofOfPossession: true });
    expect(config.jwt).not.toBeNull();
    const wrong = readConfig({ ...PAYLOAD_KEY, VES_SEQUENCER_SIGNING_KEY: SEED, MAX_EVENTS_PER_BATCH: false });
    await expect(wrong).rejects.toThrow("MAX_EVENTS_PER_BATCH: expected a whole number from 1 to 2000");
  });

  test.each(["1 true TRUE yes Yes on", "0 false no NO off"])("booleans as people write them: %s", async (spellings) => {
    for (const spelling of spellings.split(" ")) {
      const config = await read({ VES_STRICT_FORMAT_VALIDATION: spelling });
      expect(config.requireStrictForms).toBe(spellings.startsWith("1"));
    }
  });

  test.each([
    ["disabled", ["disabled", "off", "none", "false", "0"]],
    ["warn", ["", "warn", "warnonly", "warn_only", "warning", " WARN "]],
    ["enforce", ["enforce", "on", "true", "1"]],
    ["required", ["required", "strict", "require"]],
  ])("mode %s of schema validation: %j", async (mode, names) => {
    for (const name of names) {
      const config = await readConfig({
        ...PAYLOAD_KEY,
        VES_SEQUENCER_SIGNING_KEY: SEED,
        SCHEMA_VALIDATION_MODE: name,
      });
      expect(config.schemaMode).toBe(mode);
    }
  });

  test.each([
    ["required", "REQUIRED on true 1", true, false],
    ["optional", "optional", true, true],
    ["disabled", "disabled Off false 0", false, true],
  ])("payloads %s", async (_, spellings, encrypts, readsText) => {
    for (const mode of spellings.split(" ")) {
      const settings = { VES_SEQUENCER_SIGNING_KEY: SEED, PAYLOAD_ENCRYPTION_MODE: mode, ...PAYLOAD_KEY };
      const keyring = (await readConfig(settings)).payloadKeys(uuid(1, 1));
      expect([keyring.current !== null, keyring.readsText, keyring.keys.size]).toEqual([encrypts, readsText, 1]);
    }
  });

  test("payloads are encrypted under the first key, or the tenant's own, and read with all of both", async () => {
    const tenant = uuid(1, 0xabc);
    const third = "11".repeat(32);
    const ids = async (settings: Record<string, string>, tenantId: string): Promise<(string | undefined)[]> => {
      const config = await readConfig({ VES_SEQUENCER_SIGNING_KEY: SEED, ...settings });
      const { current, keys } = config.payloadKeys(tenantId);
      return [current?.id, ...keys.keys()];
    };
    const [a, b, c] = [SEED, OTHER_SEED, third].map((seed) => payloadKey(fromHex(seed)).id);
    const base64 = Buffer.from(OTHER_SEED, "hex").toString("base64");
    const keys = { PAYLOAD_ENCRYPTION_KEY: third, PAYLOAD_ENCRYPTION_KEYS: `0x${SEED}, ${base64}` };
    expect(await ids(keys, tenant)).toEqual([a, a, b]);
    const own = { [tenant.toUpperCase()]: [third] };
    const withOwn = { ...keys, PAYLOAD_ENCRYPTION_KEYS_BY_TENANT: JSON.stringify(own) };
    expect(await ids(withOwn, tenant)).toEqual([c, c, a, b]);
    expect(await ids(withOwn, uuid(1, 2))).toEqual([a, a, b]);
  });

  test("receipts keep the key of their time, and the sequencer its id, when the key is rotated", async () => {
    const before = await readConfig({ ...PAYLOAD_KEY, VES_SEQUENCER_SIGNING_KEY: SEED });
    const after = await readConfig({
      ...PAYLOAD_KEY,
      VES_SEQUENCER_SIGNING_KEY: OTHER_SEED,
      VES_SEQUENCER_KEY_VERSION: "2",
      VES_SEQUENCER_RETIRED_KEYS: RETIRED,
    });
    const stream = { tenantId: uuid(1, 1), storeId: uuid(2, 1) };
    const event = { eventId: uuid(3, 1), signingHash: new Uint8Array(32) };
    const place = { sequenceNumber: 1, sequencedAt: 0, receiptKeyVersion: 1 };
    const old = await issueReceipt(before.receiptKeys, stream, event, place);
    expect(await issueReceipt(after.receiptKeys, stream, event, place)).toEqual(old);
    // An isolate that does not know the new key yet must not sign in its place.
    const newer = issueReceipt(before.receiptKeys, stream, event, { ...place, receiptKeyVersion: 2 });
    await expect(newer).rejects.toThrow("being rotated");

    const current = await issueReceipt(after.receiptKeys, stream, event, { ...place, receiptKeyVersion: 2 });
    const hash = fromHex(current.receiptHash);
    const signature = fromHex(current.sequencerSignature);
    expect(current.sequencerKeyVersion).toBe(2);
    expect(await verifyEd25519(after.receiptKeys.current.key.publicKey, hash, signature)).toBe(true);
    expect(await verifyEd25519(before.receiptKeys.current.key.publicKey, hash, signature)).toBe(false);
  });
});
