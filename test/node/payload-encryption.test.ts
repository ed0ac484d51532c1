import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { openPayload } from "../../src/at-rest/open-payload.ts";
import {
  decryptPayload,
  ENCRYPTION_BYTES,
  encryptPayload,
  keyIdOf,
  type PayloadOwner,
} from "../../src/at-rest/payload-cipher.ts";
import { type PayloadKey, payloadKey } from "../../src/at-rest/payload-key.ts";
import type { PayloadKeyring } from "../../src/at-rest/payload-keyrings.ts";
import { storableEvents } from "../../src/ingest/storable-events.ts";
import type { CheckedEvent } from "../../src/stream/messages.ts";
import { concat, str, sha256, toHex, utf8, uuidBytes } from "../../src/ves/index.ts";
import { checkedEvent, uuid } from "../support/checked-events.ts";

const STREAM = { tenantId: uuid(0xa, 1), storeId: uuid(0xb, 1) };
const EVENT: PayloadOwner = {
  event_id: uuid(1, 1),
  entity_type: "order",
  entity_id: "ORD-1",
  event_type: "order.created",
  payload_kind: 0,
};
const KEY = payloadKey(new Uint8Array(32).fill(1));
const OTHER_KEY = payloadKey(new Uint8Array(32).fill(2));

function keyring(keys: readonly PayloadKey[], readsText = false): PayloadKeyring {
  return { current: keys[0] ?? null, keys: new Map(keys.map((key) => [key.id, key])), readsText };
}

describe("an encrypted payload", () => {
  const anyText = fc.string({ unit: "grapheme", maxLength: 300 });

  test("is read by its own event, and differs each time", async () => {
    await fc.assert(
      fc.asyncProperty(anyText, async (text) => {
        const payload = await encryptPayload(KEY, STREAM, EVENT, text);
        expect(payload.length).toBe(utf8(text).length + ENCRYPTION_BYTES);
        expect(await decryptPayload(KEY, STREAM, EVENT, payload)).toBe(text);
        expect(toHex(await encryptPayload(KEY, STREAM, EVENT, text))).not.toBe(toHex(payload));
      }),
      { numRuns: 50 },
    );
  });

  test("has the documented form, which anybody with the key can read without this code", async () => {
    const payload = await encryptPayload(KEY, STREAM, EVENT, '{"n":1}');
    expect(new TextDecoder().decode(payload.subarray(0, 4))).toBe("SSE2");
    const idHash = sha256(concat(utf8("STATESET_PAYLOAD_ATREST_KEY_ID_V1"), new Uint8Array(32).fill(1)));
    expect(toHex(payload.subarray(4, 12))).toBe(toHex(idHash.subarray(0, 8)));
    expect(KEY.id).toBe(toHex(idHash.subarray(0, 8)));

    const base = await crypto.subtle.importKey("raw", new Uint8Array(32).fill(1), "HKDF", false, ["deriveKey"]);
    const place = concat(uuidBytes(STREAM.tenantId), uuidBytes(STREAM.storeId));
    const info = new Uint8Array(concat(utf8("STATESET_PAYLOAD_ATREST_STREAM_KEY_V1"), place));
    const hkdf = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(0), info };
    const key = await crypto.subtle.deriveKey(hkdf, base, { name: "AES-GCM", length: 256 }, false, ["decrypt"]);
    const additionalData = new Uint8Array(
      sha256(
        concat(
          utf8("STATESET_PAYLOAD_ATREST_AAD_V2"),
          place,
          uuidBytes(EVENT.event_id),
          str(EVENT.entity_type),
          str(EVENT.entity_id),
          str(EVENT.event_type),
          Uint8Array.of(0),
        ),
      ),
    );
    const iv = new Uint8Array(payload.subarray(12, 24));
    const gcm = { name: "AES-GCM", iv, additionalData };
    const text = await crypto.subtle.decrypt(gcm, key, new Uint8Array(payload.subarray(24)));
    expect(new TextDecoder().decode(text)).toBe('{"n":1}');
  });

  test.each<[string, Partial<PayloadOwner & typeof STREAM>]>([
    ["another tenant", { tenantId: uuid(0xa, 2) }],
    ["another store", { storeId: uuid(0xb, 2) }],
    ["another event", { event_id: uuid(1, 2) }],
    ["another entity type", { entity_type: "orders" }],
    ["another entity", { entity_id: "ORD-2" }],
    ["names that are cut elsewhere", { entity_type: "orderO", entity_id: "RD-1" }],
    ["another event type", { event_type: "order.shipped" }],
    ["another kind", { payload_kind: 1 }],
  ])("is not read by %s", async (_, change) => {
    const payload = await encryptPayload(KEY, STREAM, EVENT, '{"n":1}');
    const stream = { ...STREAM, ...change };
    expect(await decryptPayload(KEY, stream, { ...EVENT, ...change }, payload)).toBeNull();
  });

  test("is refused with any bit of it flipped, cut short anywhere, or longer", async () => {
    const payload = await encryptPayload(KEY, STREAM, EVENT, '{"n":1}');
    for (let bit = 0; bit < payload.length * 8; bit++) {
      const flipped = Uint8Array.from(payload);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(await decryptPayload(KEY, STREAM, EVENT, flipped), `bit ${bit}`).toBeNull();
    }
    for (let length = 0; length < payload.length; length++) {
      expect(await decryptPayload(KEY, STREAM, EVENT, payload.subarray(0, length))).toBeNull();
    }
    expect(await decryptPayload(KEY, STREAM, EVENT, concat(payload, new Uint8Array(1)))).toBeNull();
  });

  test("is refused under another key, also where that key claims its id", async () => {
    const payload = await encryptPayload(KEY, STREAM, EVENT, '{"n":1}');
    expect(await decryptPayload(OTHER_KEY, STREAM, EVENT, payload)).toBeNull();
    expect(await decryptPayload({ ...OTHER_KEY, id: KEY.id }, STREAM, EVENT, payload)).toBeNull();
  });

  test("keys of very many streams are derived again when they are needed again", async () => {
    const payload = await encryptPayload(KEY, STREAM, EVENT, "{}");
    for (let n = 0; n < 1_100; n++) await KEY.ofStream({ ...STREAM, storeId: uuid(0xc, n) });
    expect(await decryptPayload(KEY, STREAM, EVENT, payload)).toBe("{}");
  });
});

describe("a keyring", () => {
  test("opens what is under any of its keys, and says what is wrong with the rest", async () => {
    const open = (ring: PayloadKeyring, payload: string | Uint8Array) => openPayload(ring, STREAM, EVENT, payload);
    const [old, current] = [
      await encryptPayload(OTHER_KEY, STREAM, EVENT, "old"),
      await encryptPayload(KEY, STREAM, EVENT, "new"),
    ];
    const both = keyring([KEY, OTHER_KEY]);
    expect(await open(both, old)).toEqual({ kind: "opened", text: "old" });
    expect(await open(both, current)).toEqual({ kind: "opened", text: "new" });
    expect(await open(keyring([KEY]), old)).toEqual({ kind: "missing_key", keyId: OTHER_KEY.id });
    expect(await open(both, old.subarray(0, 30))).toEqual({ kind: "altered" });
    expect(await open(both, "text")).toEqual({ kind: "text" });
    expect(await open(keyring([], true), "text")).toEqual({ kind: "opened", text: "text" });
  });

  test("what is to be stored is encrypted, but for what is rejected, which is left out", async () => {
    const { payload, ...rest } = checkedEvent({ eventId: EVENT.event_id });
    const event: CheckedEvent = { ...rest, payloadText: String(payload) };
    const rejected = { ...event, rejection: { reason: "invalid_signature", message: "" } };
    const [stored, left] = await storableEvents([event, rejected], STREAM, keyring([KEY]));
    expect(keyIdOf(stored?.payload as Uint8Array)).toBe(KEY.id);
    expect(left?.payload).toBe("");
    const [clear] = await storableEvents([event], STREAM, { current: null });
    expect(clear?.payload).toBe('{"n":1}');
  });
});
