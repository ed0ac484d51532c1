import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Address, createPublicClient, createTestClient, getContractAddress, http } from "viem";
import { readAnchorSettings } from "../../workers/anchor/src/settings.ts";
import { type Anvil, DEV_ACCOUNTS, hasAnvil, startAnvil } from "./anvil.ts";
import { deployAnchor } from "./deploy-anchor.ts";
import type { Variables } from "./local-server.ts";

/*
 * The chain that a server on this machine anchors on: the configured one, or else one of its own.
 */

const [DEPLOYER, SEQUENCER] = DEV_ACCOUNTS;
/** The deployer's first transaction makes the contract, so that it has the same address on every chain of our own. */
const CONTRACT = getContractAddress({ from: DEPLOYER.address, nonce: 0n });
/** Few, since nobody reorganises a chain of our own. */
const CONFIRMATIONS = 2;

/** A chain with the anchoring contract. */
export interface LocalChain {
  readonly url: string;
  readonly chainId: number;
  readonly contract: Address;
  /** Of the anchoring Worker. */
  readonly variables: Variables;
  /** Adds a block; null where others do that. */
  readonly mine: (() => Promise<void>) | null;
  /** Ends the chain that was started, if one was. */
  readonly stop: () => Promise<void>;
}

/**
 * The chain that these variables of the anchoring Worker name; without them, one that is started with its data in
 * `directory`; null where there is no program for that.
 *
 * @throws ConfigError when only some of them are given, or one is wrong; Error, as a sentence, when the chain does not start
 */
export async function openChain(variables: Variables, directory: string): Promise<LocalChain | null> {
  const settings = readAnchorSettings(variables);
  if (settings === null && !hasAnvil()) return null;
  const chain =
    settings === null
      ? await startChain(directory)
      : { ...settings, url: settings.rpcUrl, variables, mine: null, stop: () => Promise.resolve() };
  return noteUrl(chain, directory);
}

/**
 * One that holds the contract, and goes on where it was ended. Everybody knows the keys of its accounts: they are used here
 * only, for a chain that serves this machine alone.
 */
async function startChain(directory: string): Promise<LocalChain> {
  const anvil = await startAnvil({ statePath: join(directory, "state.json") });
  try {
    await deployUnlessThere(anvil);
    const node = createTestClient({ mode: "anvil", transport: http(anvil.url) });
    // It has forgotten what accounts held at blocks of an earlier start, and anchoring asks for that of the final block.
    await node.mine({ blocks: CONFIRMATIONS });
    const { url, chainId, stop } = anvil;
    const variables = {
      L2_RPC_URL: url,
      L2_CHAIN_ID: String(chainId),
      SET_REGISTRY_ADDRESS: CONTRACT,
      SEQUENCER_PRIVATE_KEY: SEQUENCER.privateKey,
      ANCHOR_CONFIRMATIONS: String(CONFIRMATIONS),
    };
    return { url, chainId, contract: CONTRACT, variables, mine: () => node.mine({ blocks: 1 }), stop };
  } catch (error) {
    await anvil.stop();
    throw error;
  }
}

async function deployUnlessThere({ url }: Anvil): Promise<void> {
  const code = await createPublicClient({ transport: http(url) }).getCode({ address: CONTRACT });
  if (code === undefined) await deployAnchor(url, DEPLOYER.privateKey, [SEQUENCER.address]);
}

/** Leaves word of where the chain is, for as long as it is there: its port is another one with each start. */
function noteUrl(chain: LocalChain, directory: string): LocalChain {
  const path = urlFile(directory);
  mkdirSync(directory, { recursive: true });
  // Readable for its owner alone: the URL of a node at a provider has a key in it.
  writeFileSync(path, chain.url, { mode: 0o600 });
  const stop = async (): Promise<void> => {
    rmSync(path, { force: true });
    await chain.stop();
  };
  return { ...chain, stop };
}

/** Where the chain of the server with its chain's data in `directory` is reached; undefined when none is running. */
export function notedUrl(directory: string): string | undefined {
  try {
    return readFileSync(urlFile(directory), "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

function urlFile(directory: string): string {
  return join(directory, "rpc-url");
}
