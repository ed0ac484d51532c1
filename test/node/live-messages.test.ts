import { describe, expect, test } from "vitest";
import { encryptPayload } from "../../src/at-rest/payload-cipher.ts";
import { payloadKey } from "../../src/at-rest/payload-key.ts";
import type { PayloadKeyring } from "../../src/at-rest/payload-keyrings.ts";
import { appendEvents } from "../../src/stream/append.ts";
import { liveCredit, MAX_UNACKED_BYTES } from "../../src/stream/live-credit.ts";
import { nextMessage } from "../../src/stream/live-messages.ts";
import {
  acknowledged,
  checked,
  moved,
  newSubscription,
  stalled,
  unackedBytes,
} from "../../src/stream/live-subscription.ts";
import type { EventFilters } from "../../src/stream/messages.ts";
import { commitRange } from "../../src/stream/seal.ts";
import { eventSigningHash } from "../../src/ves/index.ts";
import { checkedEvent, uuid } from "../support/checked-events.ts";
import { type BatchMessage, type EventsMessage, provenNumbers } from "../support/live-client.ts";
import { nodeStore } from "../support/node-store.ts";

const STREAM = { tenantId: uuid(0xa, 1), storeId: uuid(0xb, 1) };
const NO_KEYS: PayloadKeyring = { current: null, keys: new Map(), readsText: true };

/** Event number `n`, which is an order's where `n` is even. Nobody looks at its signature. */
function event(n: number) {
  const sound = checkedEvent({ eventId: uuid(1, n), entityType: n % 2 === 0 ? "order" : "return", payload: { n } });
  const envelope = { ...sound.envelope, tenant_id: STREAM.tenantId, store_id: STREAM.storeId };
  return { ...sound, signingHash: eventSigningHash(envelope) };
}

/** A log of so many events, sealed in batches of these sizes. */
function sourceOf(count: number, sizes: readonly number[], keyring = NO_KEYS) {
  const store = nodeStore();
  const events = Array.from({ length: count }, (_, index) => event(index + 1));
  appendEvents(store, events, { sequencedAt: 1_000, receiptKeyVersion: 1 });
  let start = 1;
  for (const [index, size] of sizes.entries()) {
    expect(commitRange(store, STREAM, { start, end: start + size - 1 }, 2_000, uuid(9, index)).kind).toBe("sealed");
    start += size;
  }
  return { store, stream: STREAM, keyring };
}

/** Everything that a subscriber is sent who stands there, message by message. */
async function everything(
  source: ReturnType<typeof sourceOf>,
  position: { readonly sequence: number; readonly proven: number; readonly filters: EventFilters },
  pageBytes: number,
): Promise<readonly (EventsMessage | BatchMessage)[]> {
  const messages: (EventsMessage | BatchMessage)[] = [];
  for (let at = position; ;) {
    const next = await nextMessage(source, at, pageBytes);
    if (next === null) return messages;
    if (next.kind === "unreadable") throw new Error(`event ${next.sequenceNumber} cannot be read`);
    expect(next.sequence + next.proven).toBeGreaterThan(at.sequence + at.proven);
    if (next.text !== null) messages.push(JSON.parse(next.text) as EventsMessage | BatchMessage);
    at = { ...at, sequence: next.sequence, proven: next.proven };
  }
}

const rows = (messages: readonly (EventsMessage | BatchMessage)[]) =>
  messages.flatMap((message) => (message.type === "events" ? message.events.map(({ envelope }) => envelope) : []));
const batches = (messages: readonly (EventsMessage | BatchMessage)[]) =>
  messages.filter((message) => message.type === "batch");

describe("what a subscriber is sent", () => {
  test.each<[number, EventFilters]>([
    [1, {}],
    [1, { entityType: "order" }],
    [40, {}],
    [40, { entityType: "return" }],
    [1, { entityType: "none" }],
  ])("from %i with %j is each event once, and then its proof, in small pages and large ones", async (from, filters) => {
    const source = sourceOf(150, [3, 100, 40]);
    const wanted = Array.from({ length: 150 }, (_, index) => index + 1).filter(
      (n) => n >= from && [undefined, n % 2 === 0 ? "order" : "return"].includes(filters.entityType),
    );
    for (const pageBytes of [1, 2_000, 20_000, 256 * 1024]) {
      const messages = await everything(source, { sequence: from - 1, proven: from - 1, filters }, pageBytes);
      expect(rows(messages).map((row) => row.sequence_number)).toEqual(wanted);
      expect(provenNumbers(rows(messages), batches(messages))).toEqual(wanted.filter((n) => n <= 143));
      // No proof comes before its event.
      const seen = new Set<number>();
      for (const message of messages) {
        if (message.type === "events") for (const { envelope } of message.events) seen.add(envelope.sequence_number);
        else for (const { sequence_number: n } of message.proofs ?? []) expect(seen).toContain(n);
      }
    }
  });

  test("stops before an event that cannot be read, which is not passed over", async () => {
    const current = payloadKey(new Uint8Array(32).fill(1));
    const store = nodeStore();
    const sealed = await Promise.all(
      [1, 2, 3].map(async (n) => {
        const { payload, ...sound } = event(n);
        const key = n === 2 ? payloadKey(new Uint8Array(32).fill(2)) : current;
        return { ...sound, payload: await encryptPayload(key, STREAM, sound.envelope, payload as string) };
      }),
    );
    appendEvents(store, sealed, { sequencedAt: 1_000, receiptKeyVersion: 1 });
    const keyring = { current, keys: new Map([[current.id, current]]), readsText: false };
    const source = { store, stream: STREAM, keyring };
    const first = await nextMessage(source, { sequence: 0, proven: 0, filters: {} }, 1);
    expect(first).toMatchObject({ kind: "message", sequence: 1 });
    const second = await nextMessage(source, { sequence: 1, proven: 0, filters: {} }, 100_000);
    expect(second).toMatchObject({ kind: "unreadable", sequenceNumber: 2, problem: { kind: "missing_key" } });
  });
});

describe("credit", () => {
  test("that comes from what others acknowledge ends the wait too, so that nobody is looked at for ever", () => {
    const credential = { expiresAt: null, apiKeyHash: null };
    const waiting = stalled(newSubscription({ from: 1, proven: 0, filters: {}, credential }, 0), 1_000);
    expect(stalled(waiting, 2_000)).toBe(waiting);
    expect([waiting.stalledAt, waiting.checkAt]).toEqual([1_000, 31_000]);
    const sent = moved(waiting, { sequence: 1, proven: 0 }, 100);
    expect(sent.stalledAt).toBeNull();
    expect(checked(sent, 31_000).checkAt).toBeGreaterThan(31_000);
  });

  test("is what all may have, divided, so that those who acknowledge nothing leave half of it to the others", () => {
    for (const subscribers of [0, 1, 10, 24, 100, 700]) {
      const { windowBytes, pageBytes } = liveCredit(subscribers);
      expect(subscribers * windowBytes).toBeLessThanOrEqual(MAX_UNACKED_BYTES / 2);
      expect(pageBytes).toBeLessThanOrEqual(windowBytes);
    }
    expect(liveCredit(1)).toEqual({ windowBytes: 1024 * 1024, pageBytes: 256 * 1024 });
    expect(liveCredit(1_000)).toEqual({ windowBytes: 32 * 1024, pageBytes: 32 * 1024 });
  });

  test("comes back with each acknowledgement, of events and of proofs apart", () => {
    const credential = { expiresAt: null, apiKeyHash: null };
    let subscription = newSubscription({ from: 1, proven: 0, filters: {}, credential }, 0);
    for (let n = 1; n <= 40; n++) subscription = moved(subscription, { sequence: n, proven: 0 }, 100);
    subscription = moved(subscription, { sequence: 40, proven: 30 }, 7);
    subscription = moved(subscription, { sequence: 45, proven: 30 }, 0);
    const unacked = (...acks: Parameters<typeof acknowledged>[1][]): number | null => {
      let after: typeof subscription | null = subscription;
      for (const ack of acks) after = after && acknowledged(after, ack);
      return after && unackedBytes(after);
    };
    expect(unacked()).toBe(4_007);
    expect(unacked({ sequence: 10 })).toBe(3_007);
    expect(unacked({ proven: 30 })).toBe(4_000);
    // Of the newest it is not known any more where one ended and the next began.
    expect(unacked({ sequence: 39 })).toBe(2_507);
    expect(unacked({ sequence: 45 }, { proven: 30 })).toBe(0);
    expect(unacked({ sequence: 46 })).toBeNull();
    expect(unacked({ proven: 31 })).toBeNull();
  });
});
