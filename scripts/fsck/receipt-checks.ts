import type { StreamRef } from "../../src/stream-ref.ts";
import { fromHex, type Receipt, receiptHash, toHex, verifyEd25519, VesError } from "../../src/ves/index.ts";
import type { CheckedEvent } from "./event-checks.ts";
import { differ, type Tallies } from "./tally.ts";

/** A member of a receipt that is not what follows from its event. */
interface WrongMember {
  readonly member: string | null;
  readonly expected: string;
  readonly found: string;
}

/**
 * Whether each event's receipt promises its very place, under a key that the sequencer publishes (VES 3.4). The receipt
 * hash is computed from the event, and the signature verified over that.
 *
 * @param keys by version
 * @param before settled once the events before these are tallied
 */
export async function checkReceipts(
  events: readonly CheckedEvent[],
  stream: StreamRef,
  keys: ReadonlyMap<number, Uint8Array>,
  tallies: Tallies,
  before: Promise<unknown>,
): Promise<void> {
  const wrong = await Promise.all(events.map((event) => wrongMembers(event, stream, keys)));
  await before;
  for (const [index, { sequenceNumber }] of events.entries()) {
    tallies.receipts.checked++;
    for (const { member, expected, found } of wrong[index] ?? []) {
      differ(tallies.receipts, sequenceNumber, expected, found, member);
    }
  }
}

async function wrongMembers(
  event: CheckedEvent,
  stream: StreamRef,
  keys: ReadonlyMap<number, Uint8Array>,
): Promise<WrongMember[]> {
  const { receipt, sequenceNumber, envelope } = event;
  if (receipt === null) return [{ member: null, expected: "a receipt", found: "none" }];
  const wrong: WrongMember[] = [];
  const compare = (member: keyof Receipt, expected: string | number): void => {
    const found = receipt[member];
    if (found !== expected) wrong.push({ member, expected: String(expected), found: String(found) });
  };
  compare("eventId", envelope.event_id);
  compare("sequenceNumber", sequenceNumber);
  compare("sequencedAt", event.sequencedAt);
  compare("signatureAlg", "ed25519");

  const key = keys.get(receipt.sequencerKeyVersion);
  if (key === undefined) {
    const found = String(receipt.sequencerKeyVersion);
    wrong.push({ member: "sequencerKeyVersion", expected: "a version that the sequencer publishes", found });
  }
  const hash = hashOf(event, stream);
  if (hash === null) {
    wrong.push({ member: "receiptHash", expected: "an event that can be hashed", found: receipt.receiptHash });
    return wrong;
  }
  compare("receiptHash", toHex(hash));
  if (key !== undefined && !(await verifyEd25519(key, hash, signatureOf(receipt)))) {
    const expected = `the signature of the sequencer's key ${receipt.sequencerKeyVersion}`;
    wrong.push({
      member: "sequencerSignature",
      expected,
      found: `${receipt.sequencerSignature}, which does not verify`,
    });
  }
  return wrong;
}

function hashOf({ envelope, sequenceNumber, derivedHash }: CheckedEvent, stream: StreamRef): Uint8Array | null {
  if (derivedHash === null) return null;
  try {
    return receiptHash({ ...stream, eventId: envelope.event_id, sequenceNumber, eventSigningHash: derivedHash });
  } catch (error) {
    if (error instanceof VesError) return null;
    throw error;
  }
}

/** Empty, which verifies under no key, when the text is no hex. */
function signatureOf({ sequencerSignature }: Receipt): Uint8Array {
  try {
    return fromHex(sequencerSignature, 64);
  } catch {
    return new Uint8Array(0);
  }
}
