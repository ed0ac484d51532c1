import { isEmptyStore } from "../storage/migrate.ts";
import type { SqlStore } from "../storage/sql-store.ts";
import { equalBytes, toHex, ZERO_32 } from "../ves/index.ts";
import { readAnchorState, updateAnchorState } from "./anchor-state.ts";
import { coveringBatch } from "./batches.ts";
import type { ChainTip, Frozen } from "./messages.ts";
import { readMirrorState } from "./mirror-state.ts";

/**
 * Compares what the contract holds with this stream's own history (invariant "one history"). A conflict freezes the stream
 * for writing until both agree again; it is answered, and null when they agree.
 *
 * A stream that is empty or is being restored lacks history that it once had. Against a contract that holds some it is
 * answered to be frozen, as it is in any case, and nothing is written that would outlast its restoration.
 */
export function compareWithChain(store: SqlStore, tip: ChainTip): Frozen | null {
  if (isEmptyStore(store)) {
    if (isNothing(tip)) return null;
    return frozen(`this stream is empty and the contract holds its events up to ${tip.latestSequence}: restore it`);
  }
  const { isRestoring, frozenReason } = readMirrorState(store);
  if (isRestoring && !isNothing(tip)) return frozen(frozenReason ?? "it is being restored");
  const reason = conflictWith(store, tip);
  if (reason !== readAnchorState(store).conflictReason) updateAnchorState(store, { conflictReason: reason });
  return reason === null ? null : frozen(reason);
}

function frozen(reason: string): Frozen {
  return { kind: "frozen", reason };
}

function isNothing({ latestSequence, stateRoot }: ChainTip): boolean {
  return latestSequence === 0 && equalBytes(stateRoot, ZERO_32);
}

/** Why what the contract holds is not of this stream's history, or null when it is. */
function conflictWith(store: SqlStore, tip: ChainTip): string | null {
  if (isNothing(tip)) return null;
  const own = coveringBatch(store, tip.latestSequence);
  if (own === null || own.sequenceEnd !== tip.latestSequence) {
    return `the contract holds a batch that ends at ${tip.latestSequence}, and this stream does not: it was begun anew, or two deployments anchor it`;
  }
  if (equalBytes(own.newStateRoot, tip.stateRoot)) return null;
  return `at number ${tip.latestSequence} the contract holds the state root ${toHex(tip.stateRoot)}, and this stream ${toHex(own.newStateRoot)}`;
}
