import { type Address, getAddress, type Hex, isAddress } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { z } from "zod";
import { ConfigError } from "../../../src/errors.ts";
import { readVariables, wholeNumber } from "../../../src/settings.ts";

/** Without any of these, anchoring is off; with some of them, it is misconfigured. */
const NEEDED = ["L2_RPC_URL", "L2_CHAIN_ID", "SET_REGISTRY_ADDRESS", "SEQUENCER_PRIVATE_KEY"] as const;

const GWEI = 10 ** 9;
const DEFAULT_CONFIRMATIONS = 6;
const PRIVATE_KEY = /^(0x)?[0-9a-fA-F]{64}$/;

const confirmations = wholeNumber(0, 10_000);

/** A positive number in decimal digits, as text. */
const gwei = z
  .string()
  .meta({ form: "a number above 0, at most 1000000" })
  .transform((text, context) => {
    const value = /^\d{1,9}(\.\d{1,9})?$/.test(text.trim()) ? Number(text) : NaN;
    if (value > 0 && value <= 1_000_000) return value;
    context.addIssue({ code: "custom", message: "expected a number above 0, at most 1000000" });
    return z.NEVER;
  });

/** The variables of the anchoring Worker; described as those of the Worker that serves the API are. */
export const variables = z.object({
  L2_RPC_URL: z
    .url({ protocol: /^https?$/, error: "expected an http or https URL" })
    .meta({ form: "an http or https URL" })
    .meta({ description: "JSON-RPC endpoint of a node; it may hold a secret, and is never repeated", isSecret: true }),
  L2_CHAIN_ID: wholeNumber(1, Number.MAX_SAFE_INTEGER).describe("The chain that the node must be of"),
  SET_REGISTRY_ADDRESS: z
    .string()
    .meta({ form: "0x and 40 hex digits" })
    // A mixed-case address has a checksum in its case; one in a single case has none.
    .refine((text) => isAddress(text), "expected an address: 0x and 40 hex digits")
    .transform((text) => getAddress(text))
    .describe("The anchoring contract"),
  SEQUENCER_PRIVATE_KEY: z
    .string()
    .meta({ form: "32 bytes as 64 hex digits" })
    .regex(PRIVATE_KEY, "expected 32 bytes as 64 hex digits")
    .transform((text): Hex => (text.startsWith("0x") ? (text as Hex) : `0x${text}`))
    .refine(isPrivateKey, "expected the private key of an account")
    .meta({ description: "Key of the account that anchors", isSecret: true }),
  ANCHOR_CONFIRMATIONS: confirmations
    .optional()
    .describe(
      `Blocks that must follow on a batch's before it counts as final, ${DEFAULT_CONFIRMATIONS} when unset; the node must keep the state of as many (above about 128, an archive node)`,
    ),
  ANCHOR_FINALITY_CONFIRMATIONS: confirmations.optional().describe("Another name of `ANCHOR_CONFIRMATIONS`"),
  ANCHOR_MAX_BATCHES: wholeNumber(1, 150).default(100).describe("Most batches of one transaction"),
  ANCHOR_MAX_GAS: wholeNumber(200_000, 2 ** 32)
    .default(16_000_000)
    .describe("Most gas of one transaction, which may not use more than 16,777,216 where EIP-7825 holds"),
  ANCHOR_MAX_FEE_GWEI: gwei
    .default(50)
    .describe("Most that is offered for a unit of gas; above it, anchoring waits and says so"),
  ANCHOR_REPLACE_SECS: wholeNumber(1, 86_400)
    .default(60)
    .describe(
      "Seconds that a transaction waits for its block before it is replaced with one that offers at least a quarter more",
    ),
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
  const given = env as Readonly<Record<string, unknown>>;
  const missing = NEEDED.filter((name) => (given[name] ?? "") === "");
  if (missing.length === NEEDED.length) return null;
  if (missing.length > 0) {
    throw new ConfigError(`wrong configuration: anchoring needs ${missing.join(" and ")} too`);
  }
  const values = readVariables(variables, given);
  const { ANCHOR_CONFIRMATIONS: depth, ANCHOR_FINALITY_CONFIRMATIONS: otherName } = values;
  if (depth !== undefined && otherName !== undefined && depth !== otherName) {
    const names = "ANCHOR_CONFIRMATIONS and ANCHOR_FINALITY_CONFIRMATIONS";
    throw new ConfigError(`wrong configuration: ${names} are two names of one setting: set one of them`);
  }
  return {
    rpcUrl: values.L2_RPC_URL,
    chainId: values.L2_CHAIN_ID,
    contract: values.SET_REGISTRY_ADDRESS,
    privateKey: values.SEQUENCER_PRIVATE_KEY,
    confirmations: depth ?? otherName ?? DEFAULT_CONFIRMATIONS,
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
