import { ZERO_32, toHex } from "../../src/ves/index.ts";
import { type Context, transaction } from "./context.ts";
import {
  CONTRADICTION,
  HEAD_SEQUENCE,
  LAST_SYNC_AT,
  LATE_RECEIPT_CONTRADICTION,
  PULLED_SEQUENCE,
  PUSHED_SEQUENCE,
  RECEIPT_CONTRADICTION,
  SEALED_SEQUENCE,
  STATE_ROOT,
} from "./state-keys.ts";
import type { OutboxState } from "./store/store.ts";

/** Where an agent stands, by its own store. */
export interface AgentStatus {
  /** Own events by state. */
  readonly outbox: Readonly<Record<OutboxState, number>>;
  /** Of the pending ones, those that were sent and not answered. */
  readonly unanswered: number;
  /** Highest number of an own event that was accepted. */
  readonly pushedSequence: number;
  /** Up to here the log was pulled. */
  readonly pulledSequence: number;
  /** The sequencer's head, as it was told last. */
  readonly headSequence: number;
  /** Up to here sealed batches were computed again from their events. */
  readonly sealedSequence: number;
  /** State root after the last of them, hex: it stands for the whole log up to there. */
  readonly stateRoot: string;
  /** Events of the log that do not verify. */
  readonly quarantined: number;
  /** What contradicts the log, in a sentence. */
  readonly contradiction: string | null;
  /** When the sequencer was last read from. */
  readonly lastSyncAt: Date | null;
}

const CONTRADICTIONS = [LATE_RECEIPT_CONTRADICTION, RECEIPT_CONTRADICTION, CONTRADICTION];

export function statusOf(context: Context): AgentStatus {
  return transaction(context, (tables) => {
    const number = (key: string): number => Number(tables.state(key) ?? 0);
    const lastSyncAt = number(LAST_SYNC_AT);
    return {
      ...tables.counts(context.identity.agentId),
      pushedSequence: number(PUSHED_SEQUENCE),
      pulledSequence: number(PULLED_SEQUENCE),
      headSequence: number(HEAD_SEQUENCE),
      sealedSequence: number(SEALED_SEQUENCE),
      stateRoot: tables.state(STATE_ROOT) ?? toHex(ZERO_32),
      contradiction:
        CONTRADICTIONS.map((key) => tables.state(key)).find((found) => found !== undefined && found !== "") ?? null,
      lastSyncAt: lastSyncAt === 0 ? null : new Date(lastSyncAt),
    };
  });
}
