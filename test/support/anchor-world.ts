import { Client } from "pg";
import {
  type Address,
  bytesToHex,
  createPublicClient,
  createTestClient,
  createWalletClient,
  type Hex,
  http,
  type PublicClient,
  publicActions,
  type TestClient,
} from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { foundry } from "viem/chains";
import { stateSetAnchorAbi } from "../../contracts/abi.ts";
import { streamMigrations } from "../../migrations/stream/index.ts";
import { type Anvil, DEV_ACCOUNTS } from "../../scripts/lib/anvil.ts";
import { deployAnchor } from "../../scripts/lib/deploy-anchor.ts";
import { withPostgres } from "../../src/mirror/postgres.ts";
import { migrate } from "../../src/storage/migrate.ts";
import { noteAnchors } from "../../src/stream/anchors.ts";
import { readAnchorState } from "../../src/stream/anchor-state.ts";
import { appendEvents } from "../../src/stream/append.ts";
import { listBatches } from "../../src/stream/batches.ts";
import { compareWithChain } from "../../src/stream/chain-conflict.ts";
import { readHead } from "../../src/stream/read.ts";
import type { StoredBatch } from "../../src/stream/messages.ts";
import { mirrorSealedBatches } from "../../src/stream/mirroring.ts";
import { commitRange } from "../../src/stream/seal.ts";
import { streamObjectName, type StreamRef } from "../../src/stream-ref.ts";
import { readAnchorSettings } from "../../workers/anchor/src/settings.ts";
import { type AnchorPlace, anchorRound, type RoundReport } from "../../workers/anchor/src/round.ts";
import type { AnchorGround } from "./anchor-ground.ts";
import { anchorLists, uuidWord } from "./anchor-batches.ts";
import { checkedEvent } from "./checked-events.ts";
import { nodeStore, type NodeStore } from "./node-store.ts";
import type { OwnDatabase } from "./own-database.ts";
import type { RpcProxy } from "./rpc-proxy.ts";

/*
 * Everything that anchoring has to do with, for real, but the objects' host: a chain with the contract, a database with the
 * mirror, and streams on the code that runs in their objects.
 */

export const CONFIRMATIONS = 3;

/** A stream as its object holds it. */
export interface WorldStream extends StreamRef {
  readonly store: NodeStore;
  /** Appends events, seals them as one batch, and mirrors it. */
  readonly seal: (events?: number) => Promise<StoredBatch>;
  /** Seals so many batches of one event, and mirrors them together. */
  readonly sealMany: (batches: number) => Promise<void>;
  readonly batches: () => StoredBatch[];
  readonly anchoredSequence: () => number;
  readonly frozenByChain: () => string | null;
}

/** A batch's row in Postgres. */
export interface AnchorRow {
  readonly tenant_id: string;
  readonly store_id: string;
  readonly batch_id: string;
  readonly status: string;
  readonly tx_hash: Buffer | null;
  readonly block_number: string | null;
  readonly error: string | null;
  readonly revision: number;
  readonly told_revision: number;
}

export interface World {
  readonly anvil: Anvil;
  readonly proxy: RpcProxy;
  readonly database: OwnDatabase;
  readonly place: AnchorPlace;
  readonly contract: Address;
  readonly chain: PublicClient;
  /** anvil's own calls, past the proxy. */
  readonly node: TestClient;
  readonly stream: (ref?: StreamRef) => WorldStream;
  readonly round: (place?: AnchorPlace) => Promise<RoundReport>;
  readonly mine: (blocks: number) => Promise<void>;
  /** Any call to the node, past the proxy. */
  readonly call: (method: string, ...params: readonly unknown[]) => Promise<unknown>;
  /** Replaces the newest blocks with as many empty ones. What was in them waits nowhere. */
  readonly reorganize: (blocks: number) => Promise<void>;
  /** Anchors batches as another program does with an authorised account of its own. @returns the transaction's hash */
  readonly anchorAsOther: (batches: readonly ForeignBatch[], fees?: { readonly maxFeePerGas: bigint }) => Promise<Hex>;
  /** Batches in the contract, whoever has anchored them. */
  readonly anchoredCount: () => Promise<number>;
  /** Whatever waits for a time to come has waited long enough: batches to be tried again, the lease of a run that died. */
  readonly elapse: () => Promise<void>;
  /** With nothing in the way: rounds, with some blocks after each, until nothing is pending or under way. @throws when that takes too long */
  readonly settle: () => Promise<void>;
  readonly rows: (stream: StreamRef) => Promise<AnchorRow[]>;
  /** That the chain, Postgres and the streams agree, and everything sealed is anchored: what differs, nothing in the end. */
  readonly differences: () => Promise<string[]>;
  /** Why streams are frozen, of those that are. */
  readonly frozen: () => string[];
  readonly close: () => void;
}

export interface WorldOptions {
  /** Settings of the anchoring Worker beside those that are needed. */
  readonly variables?: Readonly<Record<string, string>>;
}

/** A batch for the contract as somebody else gives it. */
export type ForeignBatch = Pick<
  StoredBatch,
  "batchId" | "merkleRoot" | "newStateRoot" | "sequenceStart" | "sequenceEnd"
> & {
  readonly stream: StreamRef;
};

/** The account that anchors in these tests. */
export const SEQUENCER = DEV_ACCOUNTS[1];
/** Another authorised one. */
export const OTHER_SEQUENCER = DEV_ACCOUNTS[2];
const ELAPSE = `
  UPDATE ves_anchors SET retry_at = now() WHERE retry_at > now();
  UPDATE ves_anchor_state SET lease_until = now() - interval '1 second' WHERE lease_until IS NOT NULL`;
const COUNT_UNSETTLED = `
  SELECT (SELECT count(*) FROM ves_anchors WHERE status <> 'anchored' OR told_revision < revision)::integer
       + (SELECT count(*) FROM ves_anchor_attempts WHERE status = 'open')::integer AS count`;
/** Rounds after which something is stuck. */
const MANY_ROUNDS = 40;

/** A world on ground that is as new. */
export async function anchorWorld(ground: AnchorGround, options: WorldOptions = {}): Promise<World> {
  const { anvil, proxy, database, call } = ground;
  const contract = await deployAnchor(anvil.url, DEV_ACCOUNTS[0].privateKey, [
    SEQUENCER.address,
    OTHER_SEQUENCER.address,
  ]);
  const settings = readAnchorSettings({
    L2_RPC_URL: proxy.url,
    L2_CHAIN_ID: String(anvil.chainId),
    SET_REGISTRY_ADDRESS: contract,
    SEQUENCER_PRIVATE_KEY: SEQUENCER.privateKey,
    ANCHOR_CONFIRMATIONS: String(CONFIRMATIONS),
    ...options.variables,
  });
  if (settings === null) throw new Error("the settings are complete");
  const streams = new Map<string, WorldStream>();
  const storeOf = (ref: StreamRef): NodeStore => {
    const stream = streams.get(streamObjectName(ref));
    if (stream === undefined) throw new Error(`no stream ${streamObjectName(ref)}`);
    return stream.store;
  };
  const place: AnchorPlace = {
    settings,
    hyperdrive: { connectionString: database.url },
    streams: {
      noteAnchors: (ref, notes) => Promise.resolve(noteAnchors(storeOf(ref), notes)),
      compareWithChain: (ref, tip) => Promise.resolve(compareWithChain(storeOf(ref), tip)),
    },
  };
  const transport = http(anvil.url);
  const chain: PublicClient = createPublicClient({ transport, chain: foundry, cacheTime: 0 });
  const node = createTestClient({ mode: "anvil", transport, chain: foundry }).extend(publicActions);
  const world: World = {
    anvil,
    proxy,
    database,
    place,
    contract,
    chain,
    node,
    stream: (ref = { tenantId: crypto.randomUUID(), storeId: crypto.randomUUID() }) => {
      const stream = worldStream(ref, database.url);
      streams.set(streamObjectName(ref), stream);
      return stream;
    },
    round: (where = place) => anchorRound(where),
    mine: (blocks) => node.mine({ blocks }),
    call,
    reorganize: async (blocks) => void (await call("anvil_reorg", blocks, [])),
    anchorAsOther: (batches, fees) =>
      walletOf(world, OTHER_SEQUENCER.privateKey).writeContract({
        address: contract,
        abi: stateSetAnchorAbi,
        functionName: "anchorBatch",
        args: foreignLists(batches),
        ...(fees === undefined ? {} : { ...fees, maxPriorityFeePerGas: fees.maxFeePerGas, gas: 3_000_000n }),
      }),
    anchoredCount: async () =>
      Number(await chain.readContract({ address: contract, abi: stateSetAnchorAbi, functionName: "getAnchoredCount" })),
    elapse: async () => void (await database.query(ELAPSE)),
    settle: async () => {
      proxy.rest();
      await call("evm_setAutomine", true);
      for (let rounds = 1; ; rounds++) {
        await world.elapse();
        const { problems } = await world.round();
        const [left] = await database.query(COUNT_UNSETTLED);
        if (left?.["count"] === 0) return;
        if (rounds === MANY_ROUNDS) throw new Error(`it does not settle: ${problems.join("; ")}`);
        await world.mine(CONFIRMATIONS);
      }
    },
    rows: async ({ tenantId, storeId }) =>
      (await database.query(
        `SELECT * FROM ves_anchors WHERE tenant_id = '${tenantId}' AND store_id = '${storeId}' ORDER BY sequence_start`,
      )) as unknown as AnchorRow[],
    differences: async () => {
      const rows = Map.groupBy(
        (await database.query("SELECT * FROM ves_anchors ORDER BY sequence_start")) as unknown as AnchorRow[],
        ({ tenant_id, store_id }) => streamObjectName({ tenantId: tenant_id, storeId: store_id }),
      );
      const found: string[] = [];
      for (const stream of streams.values()) {
        found.push(...(await differencesOf(world, stream, rows.get(streamObjectName(stream)) ?? [])));
      }
      const sealed = [...streams.values()].reduce((count, stream) => count + stream.batches().length, 0);
      const anchored = await world.anchoredCount();
      const [left] = await database.query(
        "SELECT count(*)::integer AS count FROM ves_anchor_attempts WHERE status = 'open'",
      );
      return [
        ...found,
        ...(anchored === sealed ? [] : [`${anchored} batches in the contract, ${sealed} sealed`]),
        ...(left?.["count"] === 0 ? [] : ["attempts are open"]),
      ];
    },
    frozen: () => [...streams.values()].flatMap((stream) => stream.frozenByChain() ?? []),
    close: () => {
      for (const { store } of streams.values()) store.close();
    },
  };
  return world;
}

function worldStream(ref: StreamRef, databaseUrl: string): WorldStream {
  const store = nodeStore();
  migrate(store, streamMigrations);
  const batches = (): StoredBatch[] =>
    listBatches(store, { before: Number.MAX_SAFE_INTEGER, limit: 1_000 }).batches.toReversed();
  const sealOne = (events: number): StoredBatch => {
    const start = readHead(store) + 1;
    const shapes = Array.from({ length: events }, () => checkedEvent({ eventId: crypto.randomUUID() }));
    appendEvents(store, shapes, { sequencedAt: Date.now(), receiptKeyVersion: 1 });
    const result = commitRange(store, ref, { start, end: start + events - 1 }, Date.now(), crypto.randomUUID());
    if (result.kind !== "sealed") throw new Error(`not sealed: ${result.kind}`);
    return result.batch;
  };
  const mirror = (): Promise<void> =>
    withPostgres({ connectionString: databaseUrl }, (connection) => mirrorSealedBatches(store, ref, connection));
  return {
    ...ref,
    store,
    batches,
    seal: async (events = 3) => {
      const batch = sealOne(events);
      await mirror();
      return batch;
    },
    sealMany: async (count) => {
      for (let sealed = 0; sealed < count; sealed++) sealOne(1);
      await mirror();
    },
    anchoredSequence: () => readAnchorState(store).anchoredSequence,
    frozenByChain: () => readAnchorState(store).conflictReason,
  };
}

/** What the contract holds of a batch, read past the proxy; null for nothing. */
async function onChain({ chain, contract }: World, batchId: string) {
  try {
    return await chain.readContract({
      address: contract,
      abi: stateSetAnchorAbi,
      functionName: "getCommitment",
      args: [uuidWord(batchId)],
    });
  } catch {
    return null;
  }
}

/** Every batch of the stream against the contract, the receipt of its transaction, its row, and the stream's own note. */
async function differencesOf(world: World, stream: WorldStream, rows: readonly AnchorRow[]): Promise<string[]> {
  const differences: string[] = [];
  const batches = stream.batches();
  if (rows.length !== batches.length) differences.push(`${rows.length} rows for ${batches.length} batches`);
  const differ = (batch: StoredBatch, what: string, a: unknown, b: unknown): void => {
    if (a !== b) differences.push(`batch ${batch.sequenceStart}: ${what} ${String(a)} and ${String(b)}`);
  };
  const commitments = await Promise.all(batches.map(({ batchId }) => onChain(world, batchId)));
  for (const [index, batch] of batches.entries()) {
    const [held, row] = [commitments[index] ?? null, rows[index]];
    differ(batch, "is in the contract", held !== null, true);
    differ(batch, "events root", held?.[2], bytesToHex(batch.merkleRoot));
    differ(batch, "state root", held?.[3], bytesToHex(batch.newStateRoot));
    differ(batch, "id of the row", row?.batch_id, batch.batchId);
    differ(batch, "status", row?.status, "anchored");
    differ(batch, "told", row?.told_revision, row?.revision);
    const hash = row?.tx_hash == null ? null : bytesToHex(row.tx_hash);
    differ(batch, "hash", hash, batch.anchor?.txHash == null ? null : bytesToHex(batch.anchor.txHash));
    differ(batch, "block", row?.block_number ?? null, batch.anchor?.blockNumber?.toString() ?? null);
    differ(batch, "time", batch.anchor?.anchoredAt, Number(held?.[7]) * 1_000);
    if (hash !== null) {
      const receipt = await world.chain.getTransactionReceipt({ hash });
      differ(batch, "block of the transaction", receipt.blockNumber.toString(), row?.block_number);
      differ(batch, "success", receipt.status, "success");
    }
  }
  const end = batches.at(-1)?.sequenceEnd ?? 0;
  if (stream.anchoredSequence() !== end) differences.push(`anchored to ${stream.anchoredSequence()}, sealed to ${end}`);
  return differences;
}

/** The arguments of `anchorBatch`. */
function foreignLists(batches: readonly ForeignBatch[]) {
  return anchorLists(
    batches.map(({ stream, batchId, merkleRoot, newStateRoot, sequenceStart, sequenceEnd }) => [
      uuidWord(batchId),
      uuidWord(stream.tenantId),
      uuidWord(stream.storeId),
      bytesToHex(merkleRoot),
      bytesToHex(newStateRoot),
      BigInt(sequenceStart),
      BigInt(sequenceEnd),
      sequenceEnd - sequenceStart + 1,
    ]),
  );
}

/** An account whose key the test has, at the node itself. */
export function walletOf({ anvil }: World, privateKey: Hex) {
  return createWalletClient({ transport: http(anvil.url), chain: foundry, account: privateKeyToAccount(privateKey) });
}

/** Runs statements on the world's database with values. */
export async function query(world: World, sql: string, values: readonly unknown[]): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: world.database.url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql, [...values])).rows;
  } finally {
    await client.end();
  }
}

/** What only the contract's owner may do; mined when it resolves. */
export async function asOwner(
  world: World,
  call:
    | { readonly functionName: "authorizeSequencer" | "revokeSequencer"; readonly args: readonly [Address] }
    | { readonly functionName: "pinStream"; readonly args: readonly [Hex, Hex, readonly Address[]] },
): Promise<void> {
  const wallet = walletOf(world, DEV_ACCOUNTS[0].privateKey);
  const target = { address: world.contract, abi: stateSetAnchorAbi };
  const hash = await (call.functionName === "pinStream"
    ? wallet.writeContract({ ...target, ...call })
    : wallet.writeContract({ ...target, ...call }));
  await world.chain.waitForTransactionReceipt({ hash, pollingInterval: 10 });
}
