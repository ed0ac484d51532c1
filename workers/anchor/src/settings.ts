import { type Address, getAddress, type Hex, isAddress } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { z } from "zod";
import { ConfigError } from "../../../src/settings.ts";

/** Without any of these, anchoring is off; with some of them, it is misconfigured. */
const NEEDED = ["L2_RPC_URL", "L2_CHAIN_ID", "SET_REGISTRY_ADDRESS", "SEQUENCER_PRIVATE_KEY"] as const;

const GWEI = 10 ** 9;
const PRIVATE_KEY = /^(0x)?[0-9a-fA-F]{64}$/;

/** Text, as in secrets and on command lines; or a number, as TOML has them. */
const number = z.union([z.string().trim().min(1), z.number()], { error: "expected a number" }).pipe(z.coerce.number());

function integer(fallback: number, min: number, max: number) {
  return number.pipe(z.number().int().min(min).max(max)).default(fallback);
}

const variables = z.object({
  L2_RPC_URL: z.url({ protocol: /^https?$/, error: "expected an http or https URL" }),
  L2_CHAIN_ID: number.pipe(z.number().int().min(1).max(Number.MAX_SAFE_INTEGER)),
  SET_REGISTRY_ADDRESS: z
    .string()
    // A mixed-case address has a checksum in its case; one in a single case has none.
    .refine((text) => isAddress(text), "expected an address: 0x and 40 hex digits")
    .transform((text) => getAddress(text)),
  SEQUENCER_PRIVATE_KEY: z
    .string()
    .regex(PRIVATE_KEY, "expected 32 bytes as 64 hex digits")
    .transform((text): Hex => (text.startsWith("0x") ? (text as Hex) : `0x${text}`))
    .refine(isPrivateKey, "expected the private key of an account"),
  ANCHOR_CONFIRMATIONS: integer(6, 0, 10_000),
  ANCHOR_MAX_BATCHES: integer(100, 1, 150),
  ANCHOR_MAX_GAS: integer(16_000_000, 200_000, 2 ** 32),
  ANCHOR_MAX_FEE_GWEI: number.pipe(z.number().positive().max(1_000_000)).default(50),
  ANCHOR_REPLACE_SECS: integer(60, 1, 86_400),
});

/** What anchoring depends on. docs/configuration.md lists the variables. */
export interface AnchorSettings {
  readonly rpcUrl: string;
  readonly chainId: number;
  readonly contract: Address;
  readonly privateKey: Hex;
  /** Blocks that must follow on the one with a transaction before it counts as final. */
  readonly confirmations: number;
  readonly maxBatchesPerTransaction: number;
  readonly maxGasPerTransaction: bigint;
  /** Wei for a unit of gas; above it, transactions wait. */
  readonly maxFeePerGas: bigint;
  /** How long a transaction waits for its block before it is replaced with one that pays more. */
  readonly replaceAfterMs: number;
}

/**
 * Reads the variables of the anchoring Worker. Empty ones count as absent.
 *
 * @returns null when none of those that are needed is set: anchoring is off
 * @throws ConfigError when some are missing, or one is wrong
 */
export function readAnchorSettings(env: object): AnchorSettings | null {
  const given = Object.fromEntries(
    Object.entries(env).filter(([, value]) => value !== undefined && value !== null && value !== ""),
  );
  const missing = NEEDED.filter((name) => !(name in given));
  if (missing.length === NEEDED.length) return null;
  if (missing.length > 0) {
    throw new ConfigError(`wrong configuration: anchoring needs ${missing.join(" and ")} too`);
  }
  const parsed = variables.safeParse(given);
  if (!parsed.success) {
    // Without what was given: one of them is a private key.
    const problems = parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
    throw new ConfigError(`wrong configuration: ${problems.join("; ")}`);
  }
  const values = parsed.data;
  return {
    rpcUrl: values.L2_RPC_URL,
    chainId: values.L2_CHAIN_ID,
    contract: values.SET_REGISTRY_ADDRESS,
    privateKey: values.SEQUENCER_PRIVATE_KEY,
    confirmations: values.ANCHOR_CONFIRMATIONS,
    maxBatchesPerTransaction: values.ANCHOR_MAX_BATCHES,
    maxGasPerTransaction: BigInt(values.ANCHOR_MAX_GAS),
    maxFeePerGas: BigInt(Math.round(values.ANCHOR_MAX_FEE_GWEI * GWEI)),
    replaceAfterMs: values.ANCHOR_REPLACE_SECS * 1_000,
  };
}

function isPrivateKey(key: Hex): boolean {
  try {
    privateKeyToAccount(key);
    return true;
  } catch {
    return false;
  }
}
