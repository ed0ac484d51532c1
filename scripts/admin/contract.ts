import { parseOptions, serverUrl, UsageError } from "../lib/usage.ts";
import type { Command } from "./command.ts";
import { CONTRACT_ACTIONS, type ContractOptions } from "./contract-options.ts";

const HELP = `Usage: npm run admin -- contract ACTION [options]

The anchoring contract on a chain.

  deploy     deploys it, owned by --owner, with these sequencers authorised, and prints its address
  show       its owner, how much is anchored, and whether each --sequencer may anchor
  authorize  lets each --sequencer anchor; for the owner
  revoke     takes that right away, at once; for the owner

  --rpc-url URL        JSON-RPC endpoint of a node; L2_RPC_URL
  --contract ADDRESS   the contract, but for deploy; SET_REGISTRY_ADDRESS
  --sequencer ADDRESS  an account that anchors; may be given several times
  --owner ADDRESS      who may change the sequencers, for deploy; the account that deploys when not given
  --dry-run            say what it would cost, and send nothing
  --json               print one JSON document and nothing else
  --help               print this

What is sent is signed with the private key in OWNER_PRIVATE_KEY.

Exit code 0: done, 1: the chain says no, or cannot be asked, 2: wrong usage.
`;

const PRIVATE_KEY = /^(0x)?[0-9a-fA-F]{64}$/;
const ADDRESS = /^0x[0-9a-fA-F]{40}$/;

export const contract: Command = { summary: "deploys the anchoring contract, and says who may anchor", run };

async function run(args: readonly string[]): Promise<number> {
  const options = readOptions(args, process.env);
  if (options === null) {
    process.stdout.write(HELP);
    return 0;
  }
  // Loaded only now: the library for Ethereum takes a second, which no other command should wait for.
  const { callContract } = await import("./contract-chain.ts");
  const told = await callContract(options);
  process.stdout.write(options.json ? `${JSON.stringify(told, null, 2)}\n` : text(told));
  return 0;
}

function readOptions([action, ...args]: readonly string[], env: NodeJS.ProcessEnv): ContractOptions | null {
  if (action === undefined || action === "--help" || action === "-h") return null;
  const known = CONTRACT_ACTIONS.find((name) => name === action);
  if (known === undefined) throw new UsageError(`There is no action ${action}.`);
  const values = parseOptions(args, {
    "rpc-url": { type: "string" },
    contract: { type: "string" },
    sequencer: { type: "string", multiple: true },
    owner: { type: "string" },
    "dry-run": { type: "boolean" },
    json: { type: "boolean" },
    help: { type: "boolean", short: "h" },
  });
  if (values.help === true) return null;
  const rpcUrl = values["rpc-url"] ?? env["L2_RPC_URL"];
  if (rpcUrl === undefined) throw new UsageError("Give --rpc-url.");
  const given = values.contract ?? env["SET_REGISTRY_ADDRESS"];
  if (known !== "deploy" && given === undefined) throw new UsageError("Give --contract.");
  const sequencers = (values.sequencer ?? []).map((address) => readAddress(address, "--sequencer"));
  if (known !== "show" && sequencers.length === 0) throw new UsageError("Give at least one --sequencer.");
  return {
    action: known,
    rpcUrl: serverUrl(rpcUrl),
    contract: known === "deploy" || given === undefined ? null : readAddress(given, "--contract"),
    sequencers,
    owner: values.owner === undefined ? null : readAddress(values.owner, "--owner"),
    privateKey: known === "show" ? null : readKey(env["OWNER_PRIVATE_KEY"]),
    isDryRun: values["dry-run"] ?? false,
    json: values.json ?? false,
  };
}

function readAddress(given: string, option: string): `0x${string}` {
  if (!ADDRESS.test(given)) throw new UsageError(`${option} must be an address, not ${given}.`);
  return given as `0x${string}`;
}

function readKey(key: string | undefined): `0x${string}` {
  if (key === undefined || !PRIVATE_KEY.test(key)) {
    throw new UsageError("OWNER_PRIVATE_KEY must be a private key, 64 hex digits.");
  }
  return key.startsWith("0x") ? (key as `0x${string}`) : `0x${key}`;
}

function text(told: Readonly<Record<string, unknown>>): string {
  const line = ([name, value]: readonly [string, unknown]): string => {
    const shown = typeof value === "string" ? value : JSON.stringify(value);
    return `${name.replaceAll("_", " ")}: ${shown}\n`;
  };
  return Object.entries(told).map(line).join("");
}
