import type { StreamTables } from "./store/store.ts";

/** Why the copy of the log, as far as it goes, is not what an event's receipt says, in a sentence, or `undefined`. */
export function placeProblem(tables: StreamTables, eventId: string, sequenceNumber: number): string | undefined {
  const promise = `The receipt of event ${eventId} says ${sequenceNumber}`;
  const [there] = tables.pulled({ from: sequenceNumber, limit: 1 });
  if (there?.sequenceNumber === sequenceNumber && there.eventId !== eventId) {
    return `${promise}, where the log that was pulled has event ${there.eventId}`;
  }
  const elsewhere = verifiedPlace(tables, eventId) ?? sequenceNumber;
  return elsewhere === sequenceNumber ? undefined : `${promise}, and the log that was pulled has it at ${elsewhere}`;
}

/** Where the copy of the log has a verified event. */
export function verifiedPlace(tables: StreamTables, eventId: string): number | undefined {
  return tables.pulled({ eventId }).find(({ quarantine }) => quarantine === null)?.sequenceNumber;
}
