import type { PulledRow } from "./store/store.ts";

/** An event of the log that does not verify. */
export interface QuarantinedEvent {
  readonly sequenceNumber: number;
  readonly eventId: string;
  readonly reason: string;
}

export function quarantinedEvent({ sequenceNumber, eventId, quarantine }: PulledRow): QuarantinedEvent {
  return { sequenceNumber, eventId, reason: quarantine ?? "" };
}
