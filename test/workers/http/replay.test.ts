import { describe, expect, it } from "vitest";
import {
  accept,
  call,
  event,
  expectLog,
  ingest,
  newAgent,
  readLog,
  registerKey,
  resigned,
  streamQuery,
  url,
  type Wire,
  textOf,
} from "./harness.ts";

const different = (id: string) => ({
  eventId: id,
  event_id: id,
  reason: "duplicate_event_id",
  message: `Event ${id} is already in the log with different contents`,
});

describe.each([1, 2] as const)("an event of version %i that is sent again", (vesVersion) => {
  const sample = { vesVersion, commandId: "0198c0de-0000-7000-8000-000000000001", baseVersion: 0 };

  it("gets the very same receipt, however often and on every route", async () => {
    const signer = await newAgent();
    const wire = await event(signer, sample);
    const first = await ingest(signer, [wire]);
    const second = await ingest(signer, [wire]);
    expect(JSON.stringify(second.body.receipts)).toBe(JSON.stringify(first.body.receipts));
    const older = await ingest(signer, [wire], { path: "/api/v1/events/ingest" });
    expect(JSON.stringify(older.body.receipts)).toBe(JSON.stringify(first.body.receipts));
    const read = await call("GET", url(`/api/v1/ves/receipts/${textOf(wire, "event_id")}`, streamQuery(signer)));
    expect(read.text).toBe(JSON.stringify(first.body.receipts?.[0]));
    await expectLog(signer, [wire]);
  });

  it("is the same event when its payload is written differently", async () => {
    const signer = await newAgent();
    const wire = await event(signer, { ...sample, payload: { a: 1, b: [2] } });
    const [receipt] = await accept(signer, wire);
    const text = JSON.stringify({ agentId: signer.agentId, events: [wire] }).replace(
      '{"a":1,"b":[2]}',
      '{ "b": [2.0e0], "a": 1.0 }',
    );
    const reply = await call("POST", "/api/v1/ves/events/ingest", { raw: text });
    expect(reply.body).toMatchObject({ eventsRejected: 0, receipts: [receipt] });
    await expectLog(signer, [wire]);
  });

  const other = crypto.randomUUID();
  it.each<[string, Wire]>([
    ["payload", { payload: { delta: 6 } }],
    ["entity_type", { entity_type: "order" }],
    ["entity_id", { entity_id: "other" }],
    ["event_type", { event_type: "inventory.reserved" }],
    ["created_at: the same instant in other words", { created_at: "2026-01-02T03:04:05+00:00" }],
    ["command_id", { command_id: other }],
    ["command_id, left out", { command_id: undefined }],
    ["base_version", { base_version: 1 }],
    ["base_version, left out", { base_version: undefined }],
    ["ves_version", { ves_version: 3 - vesVersion }],
    ["agent_key_id", { agent_key_id: 2 }],
    ["scheme", { agent_signature_scheme: 1 }],
    ["scheme 2", { agent_signature_scheme: 2 }],
    ["bundle", { agent_signature_bundle: { ed25519_signature: [1] } }],
    ["an empty bundle", { agent_signature_bundle: {} }],
  ])("is another one with another %s, though validly signed", async (_, change) => {
    const signer = await newAgent();
    await registerKey({ ...signer, keyId: 2 });
    const wire = await event(signer, { ...sample, createdAt: "2026-01-02T03:04:05Z" });
    await accept(signer, wire);
    const reply = await ingest(signer, [await resigned(signer, wire, change)]);
    expect(reply.body).toMatchObject({
      eventsAccepted: 0,
      eventsRejected: 1,
      rejections: [different(textOf(wire, "event_id"))],
    });
    expect(reply.body).not.toHaveProperty("receipts");
    await expectLog(signer, [wire]);
  });

  it.each<[string, (wire: Wire) => Wire]>([
    ["agent_signature", (wire) => ({ ...wire, agent_signature: "0x" + "00".repeat(64) })],
    ["payload that is not that of the hash", (wire) => ({ ...wire, payload: { delta: 6 } })],
    ["payload_plain_hash", (wire) => ({ ...wire, payload_plain_hash: "0x" + "00".repeat(32) })],
    ["payload_cipher_hash", (wire) => ({ ...wire, payload_cipher_hash: "0x" + "01".repeat(32) })],
    ["ves_version that is unknown", (wire) => ({ ...wire, ves_version: 9 })],
    ["created_at that is no time", (wire) => ({ ...wire, created_at: "x" })],
  ])("is another one with another %s", async (_, change) => {
    const signer = await newAgent();
    const wire = await event(signer, sample);
    await accept(signer, wire);
    const reply = await ingest(signer, [change(wire)]);
    expect(reply.body).toMatchObject({
      eventsAccepted: 0,
      eventsRejected: 1,
      rejections: [different(textOf(wire, "event_id"))],
    });
    await expectLog(signer, [wire]);
  });

  it("is another one from another agent", async () => {
    const signer = await newAgent();
    const second = await newAgent(signer.tenantId, signer.storeId);
    const wire = await event(signer, sample);
    await accept(signer, wire);
    const reply = await ingest(second, [await resigned(second, wire, { source_agent_id: second.agentId })]);
    expect(reply.body).toMatchObject({ eventsRejected: 1, rejections: [different(textOf(wire, "event_id"))] });
    await expectLog(signer, [wire]);
  });

  it("is a duplicate within one request, even if the first one is rejected", async () => {
    const signer = await newAgent();
    const wire = await event(signer, sample);
    const twice = (id: string) => ({
      event_id: id,
      reason: "duplicate_event_id",
      message: `Event ${id} occurs more than once in this request`,
    });
    const reply = await ingest(signer, [wire, wire]);
    expect(reply.body).toMatchObject({
      eventsAccepted: 1,
      eventsRejected: 1,
      rejections: [twice(textOf(wire, "event_id"))],
    });
    const again = await ingest(signer, [wire, wire]);
    expect(again.body).toMatchObject({
      eventsRejected: 1,
      rejections: [twice(textOf(wire, "event_id"))],
      receipts: [{ sequenceNumber: 1 }],
    });
    const next = await event(signer, { vesVersion });
    const bad = { ...next, created_at: "x" };
    const both = await ingest(signer, [bad, next]);
    expect(both.body).toMatchObject({
      eventsRejected: 2,
      rejections: [{ reason: "schema_validation: created_at" }, twice(textOf(next, "event_id"))],
    });
    await expectLog(signer, [wire]);
  });
});

it("the same event id may stand for other events in other streams", async () => {
  const signer = await newAgent();
  const wire = await event(signer);
  await accept(signer, wire);
  const storeId = crypto.randomUUID();
  const elsewhere = await resigned(signer, wire, { store_id: storeId });
  await accept({ ...signer, storeId }, elsewhere);
  await expectLog({ ...signer, storeId }, [elsewhere]);
  await expectLog(signer, [wire]);
});

describe("how replays are counted", () => {
  const counts = (accepted: number, rejected: number, start: number | null, end: number | null, head: number) => ({
    eventsAccepted: accepted,
    eventsRejected: rejected,
    sequenceStart: start,
    sequenceEnd: end,
    headSequence: head,
  });

  it("requests of version 1: as accepted when their numbers follow each other in request order", async () => {
    const signer = await newAgent();
    const [a, b, c, d] = [
      await event(signer, { vesVersion: 1 }),
      await event(signer, { vesVersion: 1 }),
      await event(signer, { vesVersion: 1 }),
      await event(signer, { vesVersion: 1 }),
    ];
    const bad = { ...(await event(signer, { vesVersion: 1 })), created_at: "x" };
    const answer = async (...events: Wire[]) => (await ingest(signer, events)).body;
    expect(await answer(a, b)).toMatchObject(counts(2, 0, 1, 2, 2));
    expect(await answer(a, b)).toMatchObject(counts(2, 0, 1, 2, 2));
    expect(await answer(b)).toMatchObject(counts(1, 0, 2, 2, 2));
    expect(await answer(bad, a, b, c)).toMatchObject(counts(3, 1, 1, 3, 3));
    expect(await answer(b, a)).toMatchObject(counts(0, 0, null, null, 3));
    expect(await answer(a, c)).toMatchObject(counts(0, 0, null, null, 3));
    const mixed = await answer(d, a);
    expect(mixed).toMatchObject(counts(1, 0, 4, 4, 4));
    expect(
      mixed.receipts?.map(({ sequenceNumber }) => sequenceNumber),
      "replays first",
    ).toEqual([1, 4]);
    expect(await answer(bad)).toMatchObject(counts(0, 1, null, null, 4));
    await expectLog(signer, [a, b, c, d]);
  });

  it("requests with a version 2 event: as nothing", async () => {
    const signer = await newAgent();
    const [a, b, c] = [await event(signer, { vesVersion: 1 }), await event(signer), await event(signer)];
    const answer = async (...events: Wire[]) => (await ingest(signer, events)).body;
    expect(await answer(a, b)).toMatchObject(counts(2, 0, 1, 2, 2));
    expect(await answer(a, b)).toMatchObject(counts(0, 0, null, null, 2));
    expect(await answer(b)).toMatchObject(counts(0, 0, null, null, 2));
    expect(await answer(a, b, c)).toMatchObject(counts(1, 0, 3, 3, 3));
    expect(await answer(a)).toMatchObject(counts(1, 0, 1, 1, 3));
    await expectLog(signer, [a, b, c]);
  });

  it("receipts carry the time of the first answer for ever", async () => {
    const signer = await newAgent();
    const [receipt] = await accept(signer, await event(signer));
    expect(receipt?.sequencedAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00$/);
    const { events } = await readLog(signer);
    expect(events[0]?.envelope["sequenced_at"]).toBe(receipt?.sequencedAt);
  });
});
