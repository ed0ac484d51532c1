import type { Connection } from "../../../src/mirror/postgres.ts";
import type { AnchorNote, ChainTip, Frozen } from "../../../src/stream/messages.ts";
import type { StreamRef } from "../../../src/stream-ref.ts";
import type { AnchorChain } from "./chain.ts";
import { type Target, underLease } from "./lease.ts";
import type { AnchorSettings } from "./settings.ts";

/** The streams' objects, as far as anchoring speaks with them. */
export interface StreamObjects {
  readonly noteAnchors: (stream: StreamRef, notes: readonly AnchorNote[]) => Promise<void>;
  /** Null when what the contract holds is of the stream's history. */
  readonly compareWithChain: (stream: StreamRef, tip: ChainTip) => Promise<Frozen | null>;
}

/** What a round works with. */
export interface Parts {
  readonly settings: AnchorSettings;
  readonly target: Target;
  readonly chain: AnchorChain;
  readonly streams: StreamObjects;
  readonly connection: Connection;
  /** Who holds the lease. */
  readonly holder: string;
  /** Number of the chain's newest block when the round began. */
  readonly head: number;
  /** Number of the newest block that counts as final; negative while the chain is too short for one. */
  readonly finalBlock: number;
  /** When nothing new is begun any more, in milliseconds since the epoch. */
  readonly until: number;
  /** What went wrong without ending the round, for people. */
  readonly problems: string[];
}

/** Changes notes, as one transaction under the lease. @throws LeaseLostError */
export function change<T>({ connection, holder }: Parts, work: (connection: Connection) => Promise<T>): Promise<T> {
  return underLease(connection, holder, () => work(connection));
}
