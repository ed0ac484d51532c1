import { setTimeout as sleep } from "node:timers/promises";
import { createPublicClient, createTestClient, type Hex, http, type PublicClient } from "viem";
import { stateSetAnchorAbi } from "../../../contracts/abi.ts";
import { DEV_ACCOUNTS, startAnvil } from "../../../scripts/lib/anvil.ts";
import { deployAnchor } from "../../../scripts/lib/deploy-anchor.ts";
import type { Variables } from "../../../scripts/lib/local-server.ts";
import { type OwnDatabase, ownDatabase } from "../../support/own-database.ts";
import { bundleFile, type ServerProcess, startServer, tempDir } from "./processes.ts";

/** The contract on a chain of a test's own. */
export interface AnchorContract {
  readonly address: Hex;
  readonly abi: typeof stateSetAnchorAbi;
}

/** Both Workers in a process of their own, with a chain and a database that outlive it. */
export interface AnchoredServer {
  readonly database: OwnDatabase;
  readonly chain: PublicClient;
  readonly contract: AnchorContract;
  /** Adds blocks all the time until `work` is done. */
  readonly whileMining: <Result>(work: () => Promise<Result>) => Promise<Result>;
  /** The server that is running now. */
  readonly server: () => ServerProcess;
  /** kill -9, and a new server on the same data. */
  readonly restart: () => Promise<void>;
  readonly close: () => Promise<void>;
}

const CONFIRMATIONS = 2;
const BLOCK_MS = 50;
/** Batches are sealed when a test asks for it, and not by themselves. */
const NO_SEALING = { SEAL_MAX_AGE_MS: "3600000" };

/**
 * @param postgresUrl of any database on the server
 * @param variables of the Worker that serves the API
 */
export async function startAnchoredServer(postgresUrl: string, variables: Variables = {}): Promise<AnchoredServer> {
  const [anvil, database, bundle, anchorBundle] = await Promise.all([
    startAnvil(),
    ownDatabase(postgresUrl),
    bundleFile(),
    bundleFile("anchor"),
  ]);
  const [deployer, sequencer] = DEV_ACCOUNTS;
  const address = await deployAnchor(anvil.url, deployer.privateKey, [sequencer.address]);
  const transport = http(anvil.url);
  const node = createTestClient({ mode: "anvil", transport });
  const dataDirectory = tempDir();
  const anchorVariables = {
    L2_RPC_URL: anvil.url,
    L2_CHAIN_ID: String(anvil.chainId),
    SET_REGISTRY_ADDRESS: address,
    SEQUENCER_PRIVATE_KEY: sequencer.privateKey,
    ANCHOR_CONFIRMATIONS: String(CONFIRMATIONS),
  };
  const start = (): Promise<ServerProcess> =>
    startServer(bundle, dataDirectory, {
      variables: { ...NO_SEALING, ...variables },
      databaseUrl: database.url,
      anchor: { bundle: anchorBundle, variables: anchorVariables },
    });
  let server = await start();

  return {
    database,
    chain: createPublicClient({ transport, cacheTime: 0 }),
    contract: { address, abi: stateSetAnchorAbi },
    whileMining: async (work) => {
      const done = new AbortController();
      const mining = (async () => {
        for (; !done.signal.aborted; await sleep(BLOCK_MS)) await node.mine({ blocks: 1 });
      })();
      try {
        return await work();
      } finally {
        done.abort();
        await mining;
      }
    },
    server: () => server,
    restart: async () => {
      await server.kill();
      // As two minutes do: a run that was killed has not given back its lease.
      await database.query("UPDATE ves_anchor_state SET lease_until = now()");
      server = await start();
    },
    close: async () => {
      await server.kill();
      await anvil.stop();
      await database.drop();
    },
  };
}
