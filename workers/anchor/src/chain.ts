import {
  type Address,
  BaseError,
  bytesToHex,
  createPublicClient,
  type Hex,
  hexToBytes,
  http,
  keccak256,
  parseTransaction,
  type PublicClient,
  TransactionReceiptNotFoundError,
} from "viem";
import { type PrivateKeyAccount, privateKeyToAccount } from "viem/accounts";
import { stateSetAnchorAbi } from "../../../contracts/abi.ts";
import type { ExpectedBatch } from "../../../src/anchor/messages.ts";
import type { ChainTip } from "../../../src/stream/messages.ts";
import type { StreamRef } from "../../../src/stream-ref.ts";
import { equalBytes } from "../../../src/ves/index.ts";
import { type AnchorPlaces, findLogs, placesInReceipt } from "./anchor-logs.ts";
import { anchorCall, uuidWord } from "./contract-call.ts";
import { type Fees, firstFees, raisedFees } from "./fees.ts";
import { answered, asked, ChainError, chainError, isAnswer, reasonOf, type Refusal, refusalIn } from "./rpc-errors.ts";
import type { AnchorSettings } from "./settings.ts";

export type { AnchorLog, AnchorPlaces } from "./anchor-logs.ts";
export type { Fees } from "./fees.ts";

const RPC_TIMEOUT_MS = 10_000;
const RPC_RETRIES = 1;
/**
 * Calldata of the questions that are asked in one call. The helper's answer counts as the code of a contract, which may have
 * 24,576 bytes: what is said of 50 batches, or of many more streams.
 */
const QUESTIONS_BYTES = { batches: 50 * 36, streams: 60 * 68 };
/** An estimate is of one state of the chain, and the transaction may meet another. */
const GAS_MARGIN_PERCENT = 10n;
/** What nodes say to a transaction that waits with them already, or is in a block by now. */
const IS_KNOWN = /already ?(known|imported)|known transaction|nonce too low/i;

export interface SignedTransaction extends Fees {
  readonly hash: Uint8Array;
  readonly raw: Uint8Array;
}

/** A transaction in a block of the chain as it is now. */
export interface Mined {
  readonly hasSucceeded: boolean;
  readonly blockNumber: number;
  /** What its own logs say was anchored. */
  readonly places: AnchorPlaces;
}

/** A stream in the contract. */
export interface StreamOnChain extends ChainTip {
  readonly mayAnchor: boolean;
}

export type Estimate =
  | { readonly kind: "gas"; readonly gas: bigint }
  /** The contract says no. */
  | (Refusal & { readonly kind: "refused" })
  | { readonly kind: "too_large" };

/**
 * The contract on its chain, through one JSON-RPC endpoint. What is read is read at a given block, so that answers fit each
 * other whatever happens meanwhile.
 *
 * Every method throws a ChainError when the endpoint fails.
 */
export class AnchorChain {
  readonly #client: PublicClient;
  readonly #account: PrivateKeyAccount;
  readonly #settings: AnchorSettings;

  constructor(settings: AnchorSettings) {
    this.#settings = settings;
    this.#account = privateKeyToAccount(settings.privateKey);
    this.#client = createPublicClient({
      transport: http(settings.rpcUrl, { timeout: RPC_TIMEOUT_MS, retryCount: RPC_RETRIES }),
      cacheTime: 0,
    });
  }

  get sender(): Address {
    return this.#account.address;
  }

  /** Number of the newest block. @throws ChainError also when the endpoint is of another chain, or without the contract */
  async head(): Promise<number> {
    const [chainId, blockNumber] = await this.#asked(
      Promise.all([this.#client.getChainId(), this.#client.getBlockNumber()]),
    );
    if (chainId !== this.#settings.chainId) {
      throw new ChainError(`L2_RPC_URL is of chain ${chainId}, and L2_CHAIN_ID is ${this.#settings.chainId}`);
    }
    // Only the anchoring contract has an answer to this.
    await this.#asked(
      this.#client.readContract({
        address: this.#settings.contract,
        abi: stateSetAnchorAbi,
        functionName: "getAnchoredCount",
        blockNumber,
      }),
    );
    return Number(blockNumber);
  }

  /** How many transactions an account had sent by that block: the nonce of its next one. */
  nonceAt(account: Address, blockNumber: number): Promise<number> {
    return this.#asked(this.#client.getTransactionCount({ address: account, blockNumber: BigInt(blockNumber) }));
  }

  /** Whether an account was authorised to anchor at that block; null when the contract was not there yet. */
  async wasSequencer(account: Address, blockNumber: number): Promise<boolean | null> {
    const answers = await this.#asked(
      this.#client.multicall({
        ...this.#at(blockNumber, QUESTIONS_BYTES.streams),
        contracts: [
          {
            address: this.#settings.contract,
            abi: stateSetAnchorAbi,
            functionName: "isSequencer" as const,
            args: [account] as const,
          },
        ],
      }),
    );
    return this.#answered(answers)[0] ?? null;
  }

  /** How far the contract held each stream at that block. */
  async streamsAt(streams: readonly StreamRef[], blockNumber: number): Promise<StreamOnChain[]> {
    if (streams.length === 0) return [];
    const contract = { address: this.#settings.contract, abi: stateSetAnchorAbi } as const;
    const ids = streams.map(({ tenantId, storeId }) => [uuidWord(tenantId), uuidWord(storeId)] as const);
    const at = this.#at(blockNumber, QUESTIONS_BYTES.streams);
    const [sequences, roots, rights] = await this.#asked(
      Promise.all([
        this.#client.multicall({
          ...at,
          contracts: ids.map((args) => ({ ...contract, functionName: "getLatestSequence" as const, args })),
        }),
        this.#client.multicall({
          ...at,
          contracts: ids.map((args) => ({ ...contract, functionName: "stateRootOf" as const, args })),
        }),
        this.#client.multicall({
          ...at,
          contracts: ids.map((args) => ({
            ...contract,
            functionName: "mayAnchor" as const,
            args: [this.sender, ...args] as const,
          })),
        }),
      ]),
    );
    const [latest, stateRoots, admitted] = [this.#answered(sequences), this.#answered(roots), this.#answered(rights)];
    return streams.map((_, index) => {
      const [latestSequence, stateRoot, mayAnchor] = [latest[index], stateRoots[index], admitted[index]];
      if (latestSequence === undefined || stateRoot === undefined || mayAnchor === undefined) {
        throw new ChainError("the anchoring contract does not answer");
      }
      return { latestSequence: Number(latestSequence), stateRoot: hexToBytes(stateRoot), mayAnchor };
    });
  }

  /** Of each batch, what the contract held under its id at that block. Times in milliseconds since the epoch. */
  async batchesAt<B extends ExpectedBatch>(
    batches: readonly B[],
    blockNumber: number,
  ): Promise<
    { readonly batch: B; readonly isThere: boolean; readonly isSame: boolean; readonly anchoredAt: number }[]
  > {
    if (batches.length === 0) return [];
    const answers = this.#answered(
      await this.#asked(
        this.#client.multicall({
          ...this.#at(blockNumber, QUESTIONS_BYTES.batches),
          contracts: batches.map(({ batchId }) => ({
            address: this.#settings.contract,
            abi: stateSetAnchorAbi,
            functionName: "getCommitment" as const,
            args: [uuidWord(batchId)] as const,
          })),
        }),
      ),
    );
    return batches.map((batch, index) => {
      const found = answers[index];
      if (found === undefined) return { batch, isThere: false, isSame: false, anchoredAt: 0 };
      const [tenant, store, eventsRoot, stateRoot, start, end, , anchoredAt] = found;
      const isSame =
        tenant === uuidWord(batch.stream.tenantId) &&
        store === uuidWord(batch.stream.storeId) &&
        start === BigInt(batch.sequenceStart) &&
        end === BigInt(batch.sequenceEnd) &&
        equalBytes(hexToBytes(eventsRoot), batch.merkleRoot) &&
        equalBytes(hexToBytes(stateRoot), batch.stateRoot);
      return { batch, isThere: true, isSame, anchoredAt: Number(anchoredAt) * 1_000 };
    });
  }

  /**
   * Where these batches were anchored, as far as the contract's logs say so. Nodes limit what they say of logs, or say
   * nothing, which is not an error.
   *
   * @param from the first block to look in; null: where that is not known, as far back as is asked for at once
   * @param to the last one
   * @param mined what may have anchored them, as its receipt says: its block is looked in first, and what the logs of
   *   blocks do not say, its own do
   */
  async logsOf(
    batches: readonly ExpectedBatch[],
    from: number | null,
    to: number,
    mined: Mined | null = null,
  ): Promise<AnchorPlaces> {
    const source = { client: this.#client, contract: this.#settings.contract };
    const logged = await findLogs(source, batches, { likely: mined?.blockNumber ?? null, from, to });
    const places = new Map(logged);
    for (const { batchId } of batches) {
      const place = places.get(batchId) ?? mined?.places.get(batchId);
      if (place !== undefined && place.blockNumber <= to) places.set(batchId, place);
    }
    return places;
  }

  /** The time of a block, in milliseconds since the epoch. */
  async blockTime(blockNumber: number): Promise<number> {
    const { timestamp } = await this.#asked(this.#client.getBlock({ blockNumber: BigInt(blockNumber) }));
    return Number(timestamp) * 1_000;
  }

  /** The hashes of these blocks as the chain is now; null for one that it does not have. */
  blockHashes(numbers: readonly number[]): Promise<(Uint8Array | null)[]> {
    const hashOf = async (blockNumber: number): Promise<Uint8Array | null> => {
      try {
        const { hash } = await this.#client.getBlock({ blockNumber: BigInt(blockNumber) });
        return hexToBytes(hash);
      } catch (error) {
        if (error instanceof BaseError && error.name === "BlockNotFoundError") return null;
        throw error;
      }
    };
    return this.#asked(Promise.all(numbers.map(hashOf)));
  }

  /** Null while the transaction is in no block. */
  async mined(hash: Uint8Array): Promise<Mined | null> {
    try {
      const receipt = await this.#client.getTransactionReceipt({ hash: bytesToHex(hash) });
      return {
        hasSucceeded: receipt.status === "success",
        blockNumber: Number(receipt.blockNumber),
        places: placesInReceipt(this.#settings.contract, receipt.logs),
      };
    } catch (error) {
      if (error instanceof TransactionReceiptNotFoundError) return null;
      throw chainError(error, this.#settings.rpcUrl);
    }
  }

  /** What anchoring these batches in one transaction would take now. */
  async estimate(batches: readonly ExpectedBatch[]): Promise<Estimate> {
    try {
      const gas = await this.#client.estimateGas({
        account: this.#account.address,
        to: this.#settings.contract,
        data: anchorCall(batches),
      });
      const withMargin = gas + (gas * GAS_MARGIN_PERCENT) / 100n;
      return withMargin > this.#settings.maxGasPerTransaction
        ? { kind: "too_large" }
        : { kind: "gas", gas: withMargin };
    } catch (error) {
      const refusal = refusalIn(error, this.#settings.rpcUrl);
      if (refusal !== null) return { kind: "refused", ...refusal };
      // A node that answers, but not with what the contract says: the transaction does not fit a block, mostly.
      if (isAnswer(error) && batches.length > 1) return { kind: "too_large" };
      throw chainError(error, this.#settings.rpcUrl);
    }
  }

  /** What a transaction should offer now. @throws ChainError also when that is more than may be paid */
  async fees(): Promise<Fees> {
    const suggested = await this.#asked(this.#client.estimateFeesPerGas());
    const limit = this.#settings.maxFeePerGas;
    if (suggested.maxFeePerGas > limit) {
      throw new ChainError(
        `gas costs up to ${suggested.maxFeePerGas} wei now, and ANCHOR_MAX_FEE_GWEI allows ${limit}`,
      );
    }
    return firstFees(suggested, limit);
  }

  /** What replaces a transaction that offered these; null when that is more than may be paid. */
  async higherFees(offered: Fees): Promise<Fees | null> {
    const suggested = await this.#asked(this.#client.estimateFeesPerGas());
    return raisedFees(offered, suggested, this.#settings.maxFeePerGas);
  }

  signAnchoring(
    batches: readonly ExpectedBatch[],
    terms: Fees & { readonly nonce: number; readonly gas: bigint },
  ): Promise<SignedTransaction> {
    return this.#sign({ ...terms, to: this.#settings.contract, data: anchorCall(batches) });
  }

  /** A transaction that does nothing but take its nonce. */
  async signFiller(terms: Fees & { readonly nonce: number }): Promise<SignedTransaction> {
    const gas = await this.#asked(this.#client.estimateGas({ account: this.sender, to: this.sender, value: 0n }));
    return this.#sign({ ...terms, gas, to: this.sender, data: "0x" });
  }

  /** The same as another transaction of ours, at other fees. */
  signAgain(raw: Uint8Array, fees: Fees): Promise<SignedTransaction> {
    const { nonce, gas, to, data } = parseTransaction(bytesToHex(raw));
    if (nonce === undefined || gas === undefined || to == null) throw new Error("not a transaction of this program");
    return this.#sign({ ...fees, nonce, gas, to, data: data ?? "0x" });
  }

  /**
   * Hands a transaction to the node, which may know it already.
   *
   * @returns why the node does not take it; null when it does
   * @throws ChainError when nothing was heard of it: it may be on its way all the same
   */
  async send(raw: Uint8Array): Promise<string | null> {
    try {
      await this.#client.sendRawTransaction({ serializedTransaction: bytesToHex(raw) });
      return null;
    } catch (error) {
      if (!isAnswer(error)) throw chainError(error, this.#settings.rpcUrl);
      const reason = reasonOf(error, this.#settings.rpcUrl);
      return IS_KNOWN.test(reason) ? null : reason;
    }
  }

  /** Why a transaction that was mined reverted, asked again before its block and after it; null when nothing says so. */
  async reasonOfRevert(raw: Uint8Array, sender: Address, blockNumber: number): Promise<Refusal | null> {
    const { to, data, gas } = parseTransaction(bytesToHex(raw));
    if (to == null || data === undefined || gas === undefined) return null;
    // What was in its way may stand in the same block.
    for (const asOf of [blockNumber - 1, blockNumber]) {
      try {
        await this.#client.call({ account: sender, to, data, gas, blockNumber: BigInt(asOf) });
      } catch (error) {
        const refusal = refusalIn(error, this.#settings.rpcUrl);
        if (refusal !== null) return refusal;
        if (!isAnswer(error)) throw chainError(error, this.#settings.rpcUrl);
      }
    }
    return null;
  }

  #asked<T>(request: Promise<T>): Promise<T> {
    return asked(request, this.#settings.rpcUrl);
  }

  #answered<T>(calls: Parameters<typeof answered<T>>[0]): (T | undefined)[] {
    return answered(calls, this.#settings.rpcUrl);
  }

  async #sign(
    terms: Fees & { readonly nonce: number; readonly gas: bigint; readonly to: Address; readonly data: Hex },
  ): Promise<SignedTransaction> {
    const { chainId } = this.#settings;
    const raw = await this.#account.signTransaction({ ...terms, chainId, type: "eip1559" });
    const { maxFeePerGas, maxPriorityFeePerGas } = terms;
    return { hash: hexToBytes(keccak256(raw)), raw: hexToBytes(raw), maxFeePerGas, maxPriorityFeePerGas };
  }

  /**
   * How several things are asked at one block: in as few calls as they fit, through a helper that lives only as long as the
   * call, since not every chain has one deployed.
   */
  #at(blockNumber: number, batchSize: number) {
    return {
      blockNumber: BigInt(blockNumber),
      deployless: true,
      allowFailure: true,
      batchSize,
    } as const;
  }
}
