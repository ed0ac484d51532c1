import { openPayload, type PayloadProblem, payloadProblemText } from "../at-rest/open-payload.ts";
import { unreadable } from "../errors.ts";
import { log } from "../observe/log.ts";
import { withContent } from "../stream/event-row.ts";
import type { SequencedEvent, StoredEvent } from "../stream/messages.ts";
import type { AppContext } from "./context.ts";

/**
 * Events of one stream with their contents, decrypted where they are encrypted. All of them or none: a page with a hole in
 * it would pass for the log.
 *
 * @throws RequestError PAYLOAD_UNREADABLE with the number of the first that cannot be read; the log says why
 */
export async function openEvents(c: AppContext, events: readonly StoredEvent[]): Promise<SequencedEvent[]> {
  const opened = await Promise.all(events.map((event) => openOne(c, event)));
  return opened.map((result) => {
    if ("envelope" in result) return result;
    throw unreadableEvent(result.event, result.problem);
  });
}

/** {@link openEvents} of one. */
export async function openEvent(c: AppContext, event: StoredEvent): Promise<SequencedEvent> {
  const [opened] = await openEvents(c, [event]);
  if (opened === undefined) throw new Error("an event is opened or refused");
  return opened;
}

async function openOne(
  c: AppContext,
  event: StoredEvent,
): Promise<SequencedEvent | { readonly event: StoredEvent; readonly problem: PayloadProblem }> {
  const { tenant_id: tenantId, store_id: storeId } = event.envelope;
  const keyring = c.get("config").payloadKeys(tenantId);
  const opened = await openPayload(keyring, { tenantId, storeId }, event.envelope, event.payload);
  return opened.kind === "opened" ? withContent(event, opened.text) : { event, problem: opened };
}

function unreadableEvent({ envelope, sequenceNumber }: StoredEvent, problem: PayloadProblem) {
  log.error("an event's payload cannot be read", {
    tenant_id: envelope.tenant_id,
    store_id: envelope.store_id,
    sequence_number: sequenceNumber,
    error: payloadProblemText(problem),
  });
  return unreadable(
    `The payload of event ${sequenceNumber} cannot be decrypted; the server's log says why`,
    sequenceNumber,
  );
}
