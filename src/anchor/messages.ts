import type { StreamRef } from "../stream-ref.ts";

/**
 * What the Worker and the anchoring Worker say to each other. Everything survives structured cloning, and failures are
 * results: an error thrown across RPC loses its type.
 */

/** How the anchoring Worker is set up. */
export type AnchorSetup =
  | {
      readonly kind: "on";
      readonly chainId: number;
      /** Addresses with `0x`. */
      readonly contract: string;
      readonly sequencer: string;
      readonly confirmations: number;
    }
  /** Nothing is configured: nothing is anchored. */
  | { readonly kind: "off"; readonly message: string }
  /** Some of it is missing or wrong: nothing is anchored, and somebody has to look. */
  | { readonly kind: "misconfigured"; readonly message: string };

/** Where a batch is on chain at this moment. */
export interface ChainPlace {
  readonly chainId: number;
  readonly txHash: Uint8Array | null;
  readonly blockNumber: number | null;
  /** Deep enough on the canonical chain. Before that, a reorganisation may still take it away. */
  readonly isFinal: boolean;
}

export type AnchorNowResult =
  /** `wasThere`: final already when it was asked for. */
  | { readonly kind: "anchored"; readonly place: ChainPlace; readonly wasThere: boolean }
  /** Sent, and not mined within the time that the caller waits. It goes on by itself. */
  | { readonly kind: "submitted"; readonly txHash: Uint8Array | null }
  /** The contract does not take it, or the stream's history there is another one. */
  | { readonly kind: "refused"; readonly reason: string }
  /** Postgres has no such batch of this stream yet. */
  | { readonly kind: "not_mirrored" }
  | NotNow;

/** The chain, Postgres or the configuration is not there. Repeating is safe. */
export interface NotNow {
  readonly kind: "not_configured" | "unavailable";
  readonly message: string;
}

/** What the contract itself says of a batch. */
export type ChainAnswer =
  | {
      readonly kind: "answer";
      readonly chainId: number;
      readonly contract: string;
      /** The block that was read. */
      readonly blockNumber: number;
      /** The contract holds a batch with this id. */
      readonly isAnchored: boolean;
      /** And it is this one: the same stream, range, Merkle root and state root. */
      readonly isSame: boolean;
      readonly isFinal: boolean;
    }
  | NotNow;

/** A batch as it should stand in the contract. */
export interface ExpectedBatch {
  readonly stream: StreamRef;
  readonly batchId: string;
  readonly sequenceStart: number;
  readonly sequenceEnd: number;
  readonly merkleRoot: Uint8Array;
  readonly stateRoot: Uint8Array;
}

/** The RPC entry point of the anchoring Worker, `AnchorService`. */
export interface AnchorService {
  setup(): Promise<AnchorSetup>;
  /** Anchors all that is due, this stream first, and answers once the batch is in a block or time is up. */
  anchorNow(stream: StreamRef, batchId: string): Promise<AnchorNowResult>;
  /** Reads the chain. */
  verify(batch: ExpectedBatch): Promise<ChainAnswer>;
}
