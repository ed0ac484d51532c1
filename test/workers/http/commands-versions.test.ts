import { describe, expect, it } from "vitest";
import { accept, event, expectLog, expectNothingStored, ingest, newAgent, type Wire } from "./harness.ts";

const used = (id: string) => `Command ${id} was already used in this stream`;
const repeated = (id: string) => `Command ${id} occurs more than once in this request`;

describe("commands", () => {
  it("one that occurs twice in a request has one effect", async () => {
    const signer = await newAgent();
    const commandId = crypto.randomUUID();
    const [a, b, c] = [await event(signer, { commandId }), await event(signer, { commandId }), await event(signer)];
    const reply = await ingest(signer, [a, b, c]);
    expect(reply.body).toMatchObject({
      eventsAccepted: 2,
      eventsRejected: 1,
      sequenceStart: 1,
      sequenceEnd: 2,
      rejections: [{ event_id: b["event_id"], reason: "duplicate_command_id", message: repeated(commandId) }],
    });
    await expectLog(signer, [a, c]);
  });

  it.each([1, 2] as const)("one that is in the log is used up, in version %i", async (vesVersion) => {
    const signer = await newAgent();
    const commandId = crypto.randomUUID();
    const [a, b] = [await event(signer, { commandId, vesVersion }), await event(signer, { commandId, vesVersion })];
    await accept(signer, a);
    const reply = await ingest(signer, [b]);
    const rejection = { event_id: b["event_id"], reason: "duplicate_command_id", message: used(commandId) };
    expect(reply.body).toMatchObject({ eventsAccepted: 0, eventsRejected: 1, rejections: [rejection] });
    await expectLog(signer, [a]);
    // The event itself is still a replay, also beside the one that takes its command.
    expect((await ingest(signer, [a, b])).body).toMatchObject({
      eventsRejected: 1,
      receipts: [{ eventId: a["event_id"] }],
    });
    await expectLog(signer, [a]);
  });

  it("another agent's and another spelling's count too, another store's does not", async () => {
    const signer = await newAgent();
    const second = await newAgent(signer.tenantId, signer.storeId);
    const commandId = crypto.randomUUID();
    const first = await event(signer, { commandId });
    await accept(signer, first);
    const spelled = { ...(await event(second, { commandId })), command_id: `{${commandId.toUpperCase()}}` };
    const reply = await ingest(second, [spelled]);
    expect(reply.body).toMatchObject({ rejections: [{ reason: "duplicate_command_id", message: used(commandId) }] });
    await expectLog(signer, [first]);
    const elsewhere = { ...signer, storeId: crypto.randomUUID() };
    await accept(elsewhere, await event(elsewhere, { commandId }));
  });

  it("one of an event that was rejected is free again", async () => {
    const signer = await newAgent();
    const commandId = crypto.randomUUID();
    const invalid = { ...(await event(signer, { commandId })), created_at: "x" };
    const conflicting = await event(signer, { commandId, baseVersion: 3 });
    const sound = await event(signer, { commandId });
    // Tried by an event that was valid as such: not tried again within the same request.
    const reply = await ingest(signer, [invalid, conflicting, sound]);
    expect(reply.body.rejections?.map(({ reason }) => reason)).toEqual([
      "schema_validation: created_at",
      "duplicate_command_id",
      "version_conflict: expected 3, actual 0",
    ]);
    await expectNothingStored(signer);
    await accept(signer, sound);
    await expectLog(signer, [sound]);
  });
});

describe("versions of entities", () => {
  const order = { entityType: "order", entityId: "o1", eventType: "order.updated" };
  const conflict = (expected: number, actual: number) => ({
    reason: `version_conflict: expected ${expected}, actual ${actual}`,
    message: `The event was made for version ${expected} of order o1, which is at version ${actual}`,
  });

  it("each event of a request sees the ones before it", async () => {
    const signer = await newAgent();
    const events: Wire[] = [];
    for (const baseVersion of [0, 1, 1, 2, 0]) events.push(await event(signer, { ...order, baseVersion }));
    const unversioned = await event(signer, order);
    const last = await event(signer, { ...order, baseVersion: 4 });
    const reply = await ingest(signer, [...events, unversioned, last]);
    expect(reply.body).toMatchObject({
      eventsAccepted: 5,
      eventsRejected: 2,
      sequenceStart: 1,
      sequenceEnd: 5,
      rejections: [
        { event_id: events[2]?.["event_id"], ...conflict(1, 2) },
        { event_id: events[4]?.["event_id"], ...conflict(0, 3) },
      ],
    });
    await expectLog(
      signer,
      [events[0], events[1], events[3], unversioned, last].map((wire) => wire ?? {}),
    );
  });

  it.each([
    [0, 1],
    [2, 1],
    [2 ** 53 - 1, 1],
  ])("against the log: made for %i where it is at %i", async (baseVersion, actual) => {
    const signer = await newAgent();
    const first = await event(signer, { ...order, baseVersion: 0 });
    await accept(signer, first);
    const reply = await ingest(signer, [await event(signer, { ...order, baseVersion })]);
    expect(reply.body).toMatchObject({
      eventsAccepted: 0,
      eventsRejected: 1,
      headSequence: 1,
      rejections: [conflict(baseVersion, actual)],
    });
    await expectLog(signer, [first]);
    const next = await event(signer, { ...order, baseVersion: 1 });
    await accept(signer, next);
    await expectLog(signer, [first, next]);
  });

  it("an unknown entity is at 0, and a conflict leaves no trace of the stream", async () => {
    const signer = await newAgent();
    const reply = await ingest(signer, [await event(signer, { ...order, baseVersion: 1 })]);
    expect(reply.body).toMatchObject({ headSequence: 0, sequenceStart: null, rejections: [conflict(1, 0)] });
    await expectNothingStored(signer);
  });

  it("type and id together name an entity, by their exact text", async () => {
    const signer = await newAgent();
    const names = [
      ["a", "bc"],
      ["ab", "c"],
      ["A", "bc"],
      ["a", "e\u0301"],
      ["a", "\u00e9"],
    ] as const;
    const events = await Promise.all(
      names.map(([entityType, entityId]) => event(signer, { entityType, entityId, baseVersion: 0 })),
    );
    await accept(signer, ...events);
    await expectLog(signer, events);
  });
});

it("rejections come by the phase that found them, and within one in request order", async () => {
  const signer = await newAgent();
  const commandId = crypto.randomUUID();
  const stored = await event(signer, { commandId });
  await accept(signer, stored);
  const events = [
    await event(signer, { baseVersion: 5 }),
    await event(signer, { commandId }),
    { ...(await event(signer)), created_at: "x" },
    await event(signer, { baseVersion: 6 }),
    { ...(await event(signer)), ves_version: 3 },
  ];
  const { rejections } = (await ingest(signer, events)).body;
  expect(rejections?.map(({ event_id }) => events.findIndex((wire) => wire["event_id"] === event_id))).toEqual([
    2, 4, 1, 0, 3,
  ]);
  await expectLog(signer, [stored]);
});
