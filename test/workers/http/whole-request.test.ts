import { describe, expect, it } from "vitest";
import type { ErrorCode } from "../../../src/errors.ts";
import {
  accept,
  call,
  detailsOf,
  event,
  expectError,
  expectLog,
  expectNothingStored,
  INGEST,
  ingest,
  mint,
  newAgent,
  resigned,
  type Wire,
  without,
} from "./harness.ts";

type Agent = Awaited<ReturnType<typeof newAgent>>;

describe("one defect refuses the whole request, and the sound events of it too", () => {
  it.each<[string, ErrorCode, string | RegExp, (signer: Agent, wire: Wire) => unknown]>([
    [
      "a second tenant",
      "INVALID_FIELD_VALUE",
      "All events of a request must have the same tenant_id and store_id",
      (signer, wire) => resigned(signer, wire, { tenant_id: crypto.randomUUID() }),
    ],
    [
      "a second store",
      "INVALID_FIELD_VALUE",
      "All events of a request must have the same tenant_id and store_id",
      (signer, wire) => resigned(signer, wire, { store_id: crypto.randomUUID() }),
    ],
    [
      "another agent's event",
      "INVALID_FIELD_VALUE",
      /^events\.1: source_agent_id is not the agent of the request, [0-9a-f-]{36}$/,
      (signer, wire) => resigned(signer, wire, { source_agent_id: crypto.randomUUID() }),
    ],
    [
      "no payload",
      "INVALID_FIELD_VALUE",
      "events.1: payload is needed when payload_kind is 0",
      (_, wire) => without(wire, "payload"),
    ],
    [
      "a null payload",
      "INVALID_FIELD_VALUE",
      "events.1: payload is needed when payload_kind is 0",
      (_, wire) => ({ ...wire, payload: null }),
    ],
    [
      "no encrypted payload",
      "INVALID_FIELD_VALUE",
      "events.1: payload_encrypted is needed when payload_kind is 1",
      (_, wire) => ({ ...without(wire, "payload"), payload_kind: 1 }),
    ],
    [
      "an unsigned event",
      "SIGNATURE_REQUIRED",
      "events.1 has no signature: only events that an agent signed are sequenced",
      (_, wire) => without(wire, "agent_signature"),
    ],
    [
      "a null signature",
      "SIGNATURE_REQUIRED",
      "events.1 has no signature: only events that an agent signed are sequenced",
      (_, wire) => ({ ...wire, agent_signature: null }),
    ],
  ])("%s", async (_, code, message, change) => {
    const signer = await newAgent();
    const [first, second] = [await event(signer), await event(signer)];
    expectError(await ingest(signer, [first, await change(signer, second)]), code, message);
    await expectNothingStored(signer);
    await accept(signer, first, second);
    await expectLog(signer, [first, second]);
  });

  it("no events", async () => {
    const signer = await newAgent();
    expectError(await ingest(signer, []), "INVALID_FIELD_VALUE", "events must hold at least one event");
    await expectNothingStored(signer);
  });

  it.each([INGEST, "/api/v1/events/ingest"])("the older, unsigned form on %s", async (path) => {
    const signer = await newAgent();
    const unsigned = {
      event_id: crypto.randomUUID(),
      tenant_id: signer.tenantId,
      store_id: signer.storeId,
      entity_type: "order",
      entity_id: "o1",
      event_type: "order.created",
      payload: {},
      source_agent: signer.agentId,
    };
    const reply = await call("POST", path, { body: { agent_id: signer.agentId, events: [unsigned] } });
    expectError(
      reply,
      "SIGNATURE_REQUIRED",
      "events.0 has no signature: only events that an agent signed are sequenced",
    );
    expect(detailsOf(reply)).toEqual([{ path: "events.0.agent_signature", message: "Required" }]);
    await expectNothingStored(signer);
    const wire = await event(signer);
    expect((await ingest(signer, [wire], { path })).body).toMatchObject({ eventsAccepted: 1 });
    await expectLog(signer, [wire]);
  });
});

describe("names out of bounds", () => {
  const text = (member: string, max: number): string => `events.0: ${member}: expected 1 to ${max} bytes of UTF-8`;
  const LIMITS = [
    ["entity_type", 128],
    ["entity_id", 512],
    ["event_type", 256],
  ] as const;
  const cases = LIMITS.flatMap(([member, max]): [string, string, string, string][] => [
    [member, "empty", "", text(member, max)],
    [member, "one byte too long", "x".repeat(max + 1), text(member, max)],
    [member, "one byte too long, by a character of two", `${"x".repeat(max - 1)}é`, text(member, max)],
    [member, "one byte too long, by a character of four", `${"x".repeat(max - 3)}\u{1f600}`, text(member, max)],
    [member, "short in characters, long in bytes", "\u{4e2d}".repeat(Math.floor(max / 3) + 1), text(member, max)],
    [member, "far too long", "x".repeat(100_000), text(member, max)],
    [member, "with U+0000", "a\0b", `events.0: ${member}: contains U+0000`],
  ]);
  it.each(cases)("%s %s", async (member, _, name, message) => {
    const signer = await newAgent();
    const wire = await resigned(signer, await event(signer), { [member]: name });
    expectError(await ingest(signer, [wire, await event(signer)]), "INVALID_FIELD_VALUE", message);
    await expectNothingStored(signer);
  });

  const fitting = LIMITS.flatMap(([member, max]): [string, string, string][] => [
    [member, "of one byte", "x"],
    [member, "at the limit", "x".repeat(max)],
    [member, "at the limit, ending in a character of two bytes", `${"x".repeat(max - 2)}é`],
    [member, "at the limit, ending in a character of four bytes", `${"x".repeat(max - 4)}\u{1f600}`],
    [member, "with blanks, quotes and controls", ' "\\\u0001\u200d\u2028'],
    [member, "not normalized", "e\u0301 \u00e9"],
  ]);
  it.each(fitting)("accepted: %s %s", async (member, _, name) => {
    const signer = await newAgent();
    const wire = await resigned(signer, await event(signer), { [member]: name });
    await accept(signer, wire);
    await expectLog(signer, [wire]);
  });
});

describe("the number of events", () => {
  it("1,001 events are refused, 1,000 are accepted and keep their order", async () => {
    const signer = await newAgent();
    const events = await Promise.all(Array.from({ length: 1001 }, () => event(signer)));
    const message = "A request may hold 1000 events, this one holds 1001";
    expectError(await ingest(signer, events), "PAYLOAD_TOO_LARGE", message);
    await expectNothingStored(signer);
    const fitting = events.slice(0, 1000);
    const receipts = await accept(signer, ...fitting);
    expect(receipts.map(({ eventId }) => eventId)).toEqual(fitting.map((wire) => wire["event_id"]));
    await expectLog(signer, fitting);
  });
});

describe("which of several defects is told", () => {
  it("mixed streams, agent, permission, number of events, names: in this order", async () => {
    const signer = await newAgent();
    const other = await newAgent();
    const wire = await event(signer);
    const mixed = { ...wire, store_id: crypto.randomUUID(), source_agent_id: other.agentId, entity_id: "" };
    const ownKey = await mint(signer);
    const otherKey = await mint(other);
    const readOnly = await mint(signer, { readOnly: true });
    const tooMany = Array.from({ length: 1001 }, () => ({ ...wire, entity_id: "" }));

    const told = async (events: unknown, key: string): Promise<string> => {
      const reply = await ingest(signer, events, { key });
      return `${reply.status} ${(reply.body as unknown as { message: string }).message}`;
    };
    expect(await told([], otherKey)).toBe("400 events must hold at least one event");
    expect(await told([wire, mixed], otherKey)).toMatch(/^400 All events/);
    expect(await told([{ ...wire, source_agent_id: other.agentId }], otherKey)).toMatch(/^403 Agent mismatch/);
    expect(await told([{ ...wire, source_agent_id: other.agentId }], readOnly)).toMatch(
      /^400 events\.0: source_agent_id/,
    );
    expect(await told(tooMany, readOnly)).toBe("403 Write permission required");
    expect(await told(tooMany, ownKey)).toMatch(/^413 A request may hold/);
    expect(await told([{ ...wire, entity_id: "" }], ownKey)).toMatch(/^400 events\.0: entity_id/);
    await expectNothingStored(signer);
  });
});
