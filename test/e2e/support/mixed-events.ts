import { push, type Server } from "../../../scripts/lib/client.ts";
import { type Signer, signEvent } from "../../../scripts/lib/signer.ts";
import { envelopeSchema, type Receipt, toWireEnvelope, type WireEnvelope } from "../../../src/ves/index.ts";
import { encryptedOf } from "../../support/encrypted-event.ts";
import type { Acknowledged } from "./derive-log.ts";

/**
 * Pushes events of all sorts in one request: of both versions, plain and encrypted, some with a command or a base version,
 * most of them to the orders o0 to o2.
 *
 * @returns them with their receipts, in order
 * @throws Error when one of them is refused
 */
export async function pushMixed(server: Server, signer: Signer, count: number): Promise<Acknowledged[]> {
  const events = await Promise.all(Array.from({ length: count }, (_, n) => mixedEvent(signer, n)));
  const { receipts = [] } = await push(server, signer.agentId, events);
  return events.map((event, index) => {
    const receipt: Receipt | undefined = receipts[index];
    if (receipt?.eventId !== event.event_id) throw new Error(`event ${index + 1} of the request has no receipt`);
    return { event, receipt };
  });
}

async function mixedEvent(signer: Signer, n: number): Promise<WireEnvelope> {
  const wire = await signEvent(signer, {
    entityType: "order",
    ...(n % 7 === 0 ? { entityId: crypto.randomUUID(), baseVersion: 0 } : { entityId: `o${n % 3}` }),
    eventType: "order.changed",
    payload: { n, note: "für später" },
    vesVersion: n % 4 === 0 ? 1 : 2,
    ...(n % 5 === 0 ? { commandId: crypto.randomUUID() } : {}),
  });
  return n % 6 === 5 ? toWireEnvelope(await encryptedOf(envelopeSchema.parse(wire), signer.key)) : wire;
}
