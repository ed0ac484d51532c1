import { describe, expect, test } from "vitest";
import { DEV_ACCOUNTS } from "../../../scripts/lib/anvil.ts";
import { ConfigError } from "../../../src/errors.ts";
import { readAnchorSettings } from "../../../workers/anchor/src/settings.ts";

const KEY = DEV_ACCOUNTS[1].privateKey;
const ADDRESS = "0x5FbDB2315678afecb367f032d93F642f64180aa3";
const NEEDED = {
  L2_RPC_URL: "https://rpc.example.com/v2/secret-of-the-url",
  L2_CHAIN_ID: "8453",
  SET_REGISTRY_ADDRESS: ADDRESS,
  SEQUENCER_PRIVATE_KEY: KEY,
};

function problemOf(variables: object): string {
  try {
    readAnchorSettings({ ...NEEDED, ...variables });
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as Error).message;
  }
  throw new Error(`taken: ${JSON.stringify(variables)}`);
}

describe("settings of the anchoring Worker", () => {
  test("anchoring is off when nothing that it needs is set, whatever else is", () => {
    expect(readAnchorSettings({})).toBeNull();
    expect(readAnchorSettings({ ANCHOR_CONFIRMATIONS: "5", POSTGRES: {}, LOG_LEVEL: "info" })).toBeNull();
    expect(readAnchorSettings({ L2_RPC_URL: "", SEQUENCER_PRIVATE_KEY: "" })).toBeNull();
  });

  test("what is needed is enough, and the rest has its defaults", () => {
    expect(readAnchorSettings(NEEDED)).toEqual({
      rpcUrl: NEEDED.L2_RPC_URL,
      chainId: 8453,
      contract: ADDRESS,
      privateKey: KEY,
      confirmations: 6,
      maxBatchesPerTransaction: 100,
      maxGasPerTransaction: 16_000_000n,
      maxFeePerGas: 50_000_000_000n,
      replaceAfterMs: 60_000,
    });
    expect(readAnchorSettings({ ...NEEDED, ANCHOR_CONFIRMATIONS: "", ANCHOR_MAX_GAS: "" })).toEqual(
      readAnchorSettings(NEEDED),
    );
  });

  test("everything can be set", () => {
    const variables = {
      ANCHOR_CONFIRMATIONS: "0",
      ANCHOR_MAX_BATCHES: "150",
      ANCHOR_MAX_GAS: "30000000",
      ANCHOR_MAX_FEE_GWEI: "0.05",
      ANCHOR_REPLACE_SECS: "1",
    };
    expect(readAnchorSettings({ ...NEEDED, ...variables })).toMatchObject({
      confirmations: 0,
      maxBatchesPerTransaction: 150,
      maxGasPerTransaction: 30_000_000n,
      maxFeePerGas: 50_000_000n,
      replaceAfterMs: 1_000,
    });
  });

  test("the confirmations have two names, of which one is used", () => {
    const confirmations = (variables: object) => readAnchorSettings({ ...NEEDED, ...variables })?.confirmations;
    expect(confirmations({ ANCHOR_FINALITY_CONFIRMATIONS: "12" })).toBe(12);
    expect(confirmations({ ANCHOR_FINALITY_CONFIRMATIONS: "0", ANCHOR_CONFIRMATIONS: "0" })).toBe(0);
    expect(problemOf({ ANCHOR_FINALITY_CONFIRMATIONS: "12", ANCHOR_CONFIRMATIONS: "6" })).toMatch(
      "ANCHOR_CONFIRMATIONS and ANCHOR_FINALITY_CONFIRMATIONS are two names of one setting",
    );
  });

  test("numbers may be numbers, as TOML has them", () => {
    const variables = {
      L2_CHAIN_ID: 10,
      ANCHOR_CONFIRMATIONS: 0,
      ANCHOR_MAX_BATCHES: 7,
      ANCHOR_MAX_GAS: 30_000_000,
      ANCHOR_MAX_FEE_GWEI: 0.05,
      ANCHOR_REPLACE_SECS: 5,
    };
    expect(readAnchorSettings({ ...NEEDED, ...variables })).toMatchObject({
      chainId: 10,
      confirmations: 0,
      maxBatchesPerTransaction: 7,
      maxGasPerTransaction: 30_000_000n,
      maxFeePerGas: 50_000_000n,
      replaceAfterMs: 5_000,
    });
  });

  test("a key and an address may be written as people write them", () => {
    expect(readAnchorSettings({ ...NEEDED, SEQUENCER_PRIVATE_KEY: KEY.slice(2) })?.privateKey).toBe(KEY);
    expect(readAnchorSettings({ ...NEEDED, SET_REGISTRY_ADDRESS: ADDRESS.toLowerCase() })?.contract).toBe(ADDRESS);
  });

  test.each(Object.keys(NEEDED))("a configuration without %s, and one with it alone, is wrong and not off", (name) => {
    expect(problemOf({ [name]: "" })).toBe(`wrong configuration: anchoring needs ${name} too`);
    const others = Object.keys(NEEDED).filter((other) => other !== name);
    expect(problemOf(Object.fromEntries(others.map((other) => [other, undefined])))).toBe(
      `wrong configuration: anchoring needs ${others.join(" and ")} too`,
    );
  });

  test.each<[string, unknown]>([
    ["L2_RPC_URL", "rpc.example.com"],
    ["L2_RPC_URL", 8545],
    ["L2_RPC_URL", "wss://rpc.example.com"],
    ["L2_CHAIN_ID", "0"],
    ["L2_CHAIN_ID", "-1"],
    ["L2_CHAIN_ID", "1.5"],
    ["L2_CHAIN_ID", "base"],
    ["L2_CHAIN_ID", " "],
    ["L2_CHAIN_ID", 1.5],
    ["L2_CHAIN_ID", true],
    ["SET_REGISTRY_ADDRESS", "0x1234"],
    ["SET_REGISTRY_ADDRESS", `${ADDRESS}00`],
    // A checksum that does not fit: a digit was mistyped.
    ["SET_REGISTRY_ADDRESS", ADDRESS.replace("5Fb", "5fb")],
    ["ANCHOR_CONFIRMATIONS", "-1"],
    ["ANCHOR_CONFIRMATIONS", "10001"],
    ["ANCHOR_CONFIRMATIONS", "many"],
    ["ANCHOR_CONFIRMATIONS", " "],
    ["ANCHOR_CONFIRMATIONS", false],
    ["ANCHOR_CONFIRMATIONS", {}],
    ["ANCHOR_CONFIRMATIONS", 10_001],
    ["ANCHOR_CONFIRMATIONS", Number.NaN],
    ["SEQUENCER_PRIVATE_KEY", 12_345],
    ["ANCHOR_MAX_BATCHES", "0"],
    ["ANCHOR_MAX_BATCHES", "151"],
    ["ANCHOR_MAX_GAS", "199999"],
    ["ANCHOR_MAX_GAS", "1e12"],
    ["ANCHOR_MAX_FEE_GWEI", "0"],
    ["ANCHOR_MAX_FEE_GWEI", "-3"],
    ["ANCHOR_MAX_FEE_GWEI", "Infinity"],
    ["ANCHOR_REPLACE_SECS", "0"],
    ["ANCHOR_REPLACE_SECS", "86401"],
  ])("%s cannot be %j, and the message says which variable is wrong", (name, value) => {
    expect(problemOf({ [name]: value })).toMatch(new RegExp(`^wrong configuration: ${name}: [^;]+$`));
  });

  test.each([
    ["too short", KEY.slice(0, -2)],
    ["too long", `${KEY}00`],
    ["not hexadecimal", `${KEY.slice(0, -1)}g`],
    ["zero", `0x${"0".repeat(64)}`],
    ["above the order of the curve", `0x${"f".repeat(64)}`],
    ["with a space", ` ${KEY}`],
  ])("a key that is %s is wrong, and no message holds it or the URL", (_, key) => {
    const problem = problemOf({ SEQUENCER_PRIVATE_KEY: key, ANCHOR_MAX_GAS: "none" });
    expect(problem).toMatch(/^wrong configuration: SEQUENCER_PRIVATE_KEY: expected .*; ANCHOR_MAX_GAS: /);
    expect(problem).not.toContain(key.trim().slice(4, 20));
    expect(problem).not.toContain("secret-of-the-url");
    const other = problemOf({ L2_RPC_URL: "ftp://secret-of-the-url" });
    expect(other).not.toContain("secret-of-the-url");
    expect(other).not.toContain(KEY.slice(4, 20));
  });
});
