import { encryptPayload } from "../at-rest/payload-cipher.ts";
import type { PayloadKeyring } from "../at-rest/payload-keyrings.ts";
import type { CheckedEvent, StorableEvent } from "../stream/messages.ts";
import type { StreamRef } from "../stream-ref.ts";

/**
 * Events as their stream is to store them. The payload of a rejected one is left out: it is compared with a stored copy by
 * its hashes, and is never stored itself.
 */
export function storableEvents(
  events: readonly CheckedEvent[],
  stream: StreamRef,
  { current }: Pick<PayloadKeyring, "current">,
): Promise<StorableEvent[]> {
  return Promise.all(
    events.map(async ({ payloadText, ...event }): Promise<StorableEvent> => {
      if (event.rejection !== null) return { ...event, payload: "" };
      if (current === null) return { ...event, payload: payloadText };
      return { ...event, payload: await encryptPayload(current, stream, event.envelope, payloadText) };
    }),
  );
}
