import { newBatchChecks } from "./batch-checks.ts";
import { type CheckedEvent, checkSignatures, newEventChecks } from "./event-checks.ts";
import type { LogSource } from "./log-source.ts";
import { itemsOf, readAhead } from "./pages.ts";
import { checkReceipts } from "./receipt-checks.ts";
import { differ, type Tallies } from "./tally.ts";

/**
 * Derives everything about one log from its events alone and tallies what differs. Gives the events on as it goes; all is
 * tallied once the last page was taken.
 *
 * @throws SourceError when the source cannot be read
 */
export async function* checkLog(source: LogSource, tallies: Tallies): AsyncGenerator<readonly CheckedEvent[]> {
  const { stream, head, start } = source;
  const eventChecks = newEventChecks(stream, tallies, start?.sequenceNumber);
  const batchChecks = newBatchChecks(stream, tallies, start?.previous);
  const batches = itemsOf(readAhead(source.batches()));

  /** Checks the batches that end at or before a number. */
  const checkBatches = async (upTo: number): Promise<void> => {
    for (let batch = await batches.peek(); batch !== undefined && batch.sequenceEnd <= upTo;) {
      batches.take();
      batchChecks.check(batch);
      batch = await batches.peek();
    }
  };

  // The signatures of a page are verified by other threads while the next page is hashed here.
  let verifying: Promise<unknown> = Promise.resolve();
  for await (const page of readAhead(source.events())) {
    const checked = page.map((event): CheckedEvent => {
      const checkedEvent = { ...event, ...eventChecks.check(event) };
      if (event.sequenceNumber <= head.sealedSequence) batchChecks.addEvent(checkedEvent);
      return checkedEvent;
    });
    const started = Promise.all([
      checkSignatures(checked, source.agentKeys, tallies, verifying),
      source.hasReceipts ? checkReceipts(checked, stream, source.sequencerKeys, tallies, verifying) : undefined,
    ]);
    await verifying;
    verifying = started;
    await checkBatches(eventChecks.lastNumber());
    yield checked;
  }
  await verifying;
  await checkBatches(Infinity);
  batchChecks.finish(head);
  if (eventChecks.lastNumber() !== head.headSequence) {
    differ(tallies.numbers, null, `a log of ${head.headSequence}`, `a log of ${eventChecks.lastNumber()}`);
  }
  checkTraces(source, tallies);
}

/** What the source itself has noted: changes by hand, and that the stream is frozen. */
function checkTraces({ head, alterations }: LogSource, tallies: Tallies): void {
  tallies.frozen.checked++;
  if (head.frozen !== null) differ(tallies.frozen, null, "a stream that takes writes", head.frozen);
  tallies.alterations.checked += alterations.length;
  for (const { sequenceNumber, table, operation, alteredAt, alteredBy } of alterations) {
    const found = `${operation} at ${alteredAt} by ${alteredBy}`;
    differ(tallies.alterations, sequenceNumber, "a row that was never changed", found, table);
  }
}
