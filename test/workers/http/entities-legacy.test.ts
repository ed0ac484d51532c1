import { describe, expect, it } from "vitest";
import { fromHex } from "../../../src/ves/index.ts";
import {
  accept,
  call,
  event,
  expectError,
  ingest,
  newAgent,
  type Reply,
  streamQuery,
  url,
  type Wire,
  textOf,
} from "./harness.ts";

type Agent = Awaited<ReturnType<typeof newAgent>>;

interface History {
  readonly entity_type: string;
  readonly entity_id: string;
  readonly events: readonly Wire[];
  readonly count: number;
  readonly total: number;
  readonly current_version?: number;
  readonly has_more: boolean;
}

function history(
  signer: Agent,
  type: string,
  id: string,
  query: Record<string, string | number> = {},
  base = "/api/v1/ves",
): Promise<Reply<History>> {
  return call("GET", url(`${base}/entities/${type}/${id}`, { ...streamQuery(signer), ...query }));
}

describe("the history of an entity", () => {
  it("rows carry the envelope and, flat beside it, what readers look for", async () => {
    const signer = await newAgent();
    const fact = { entityType: "order", entityId: "o1" };
    const events = [await event(signer, fact), await event(signer, { ...fact, baseVersion: 1 })];
    await accept(signer, await event(signer), ...events);
    const { body } = await history(signer, "order", "o1");
    expect(body).toMatchObject({
      entity_type: "order",
      entity_id: "o1",
      count: 2,
      total: 2,
      current_version: 2,
      has_more: false,
    });
    expect(body.events).toMatchObject(
      events.map((wire, index) => ({
        envelope: { ...wire, sequence_number: index + 2 },
        event_id: wire["event_id"],
        sequence_number: index + 2,
        event_type: wire["event_type"],
        source_agent: signer.agentId,
        created_at: wire["created_at"],
        payload: wire["payload"],
      })),
    );
  });

  it("pages by row offset, at most 100 a page", async () => {
    const signer = await newAgent();
    const events = await Promise.all(
      Array.from({ length: 103 }, () => event(signer, { entityType: "order", entityId: "o1" })),
    );
    await accept(signer, ...events);
    const page = async (query: Record<string, number>): Promise<unknown[]> => {
      const { body } = await history(signer, "order", "o1", query);
      const [first, last] = [body.events[0], body.events.at(-1)].map((row) => row?.["sequence_number"] ?? null);
      expect(body).toMatchObject({ total: 103, current_version: 103 });
      return [first, last, body.count, body.has_more];
    };
    expect(await page({})).toEqual([1, 100, 100, true]);
    expect(await page({ limit: 0 })).toEqual([1, 100, 100, true]);
    expect(await page({ limit: 5000 })).toEqual([1, 100, 100, true]);
    expect(await page({ from: 100 })).toEqual([101, 103, 3, false]);
    expect(await page({ from: 1, limit: 2 })).toEqual([2, 3, 2, true]);
    expect(await page({ from: 103 })).toEqual([null, null, 0, false]);
    expect(await page({ from: 9_000 })).toEqual([null, null, 0, false]);
  });

  it.each([
    "a/b",
    "/",
    "//x/",
    "100%",
    "%2F",
    "a%20b",
    "%25",
    "%",
    "a+b",
    "a b",
    " ",
    "a?b=c",
    "a#b",
    "a&b",
    "é",
    "e\u0301",
    "\u{1f600}",
    "\u4e2d\u6587",
    "..a",
    "...",
    "a\\b",
    "a;b",
    "a,b",
    ":id",
    "{id}",
    "*",
    "a:b@c",
    "\u0001",
    "\u007f",
    "x".repeat(512),
  ])("is found under %j, decoded once", async (name) => {
    const signer = await newAgent();
    const entityType = name.length > 128 ? "order" : name;
    await accept(signer, await event(signer, { entityType, entityId: name }));
    const reply = await history(signer, encodeURIComponent(entityType), encodeURIComponent(name));
    expect(reply.body).toMatchObject({ entity_type: entityType, entity_id: name, total: 1 });
    expect(reply.body.events[0]?.["envelope"]).toMatchObject({ entity_type: entityType, entity_id: name });
    const older = await history(signer, encodeURIComponent(entityType), encodeURIComponent(name), {}, "/api/v1");
    expect(older.body).toMatchObject({ entity_id: name, total: 1 });
    const twice = encodeURIComponent(encodeURIComponent(name));
    if (encodeURIComponent(name) !== name && twice.length <= 512) {
      expect((await history(signer, encodeURIComponent(entityType), twice)).body).toMatchObject({
        entity_id: encodeURIComponent(name),
        total: 0,
      });
    }
  });

  it.each([
    [encodeURIComponent("é".repeat(65)), "o1", "entity_type: expected 1 to 128 bytes"],
    ["order", "x".repeat(513), "entity_id: expected 1 to 512 bytes"],
    ["order", encodeURIComponent("\u4e2d".repeat(171)), "entity_id: expected 1 to 512 bytes"],
  ])("400: %s/%s", async (type, id, message) => {
    const signer = await newAgent();
    for (const base of ["/api/v1/ves", "/api/v1"])
      expectError(await history(signer, type, id, {}, base), "INVALID_FIELD_VALUE", message);
  });

  it.each(["%zz", "%ff", "%e4%b8", "%"])("400: %s is no percent-encoded UTF-8", async (id) => {
    const signer = await newAgent();
    for (const base of ["/api/v1/ves", "/api/v1"]) {
      const message = "The URL is not percent-encoded UTF-8";
      expectError(await history(signer, "order", id, {}, base), "INVALID_FIELD_VALUE", message);
      const filtered = `${url(`${base}/events`, streamQuery(signer))}&entity_type=${id}`;
      expectError(await call("GET", filtered), "INVALID_FIELD_VALUE", message);
    }
  });
});

describe("the older family", () => {
  const headers = ({ headers: all }: Reply) => ["deprecation", "sunset", "link"].map((name) => all.get(name));
  const naming = (successor: string) => [
    "true",
    "Fri, 31 Dec 2027 23:59:59 GMT",
    `<${successor}>; rel="successor-version"`,
  ];

  it("answers with its own shapes over the same log", async () => {
    const signer = await newAgent();
    const events = [
      await event(signer, { entityType: "order", entityId: "o/1", commandId: crypto.randomUUID(), baseVersion: 0 }),
      await event(signer, { entityType: "order", entityId: "o/1" }),
      await event(signer),
    ];
    const submitted = await ingest(signer, events, { path: "/api/v1/events/ingest" });
    expect(submitted.body).toMatchObject({
      eventsAccepted: 3,
      events_accepted: 3,
      events_rejected: 0,
      assigned_sequence_start: 1,
      assigned_sequence_end: 3,
      head_sequence: 3,
      receipts: [{ sequenceNumber: 1 }, { sequenceNumber: 2 }, { sequenceNumber: 3 }],
    });
    expect((submitted.body as unknown as Wire)["batch_id"]).toBe((submitted.body as unknown as Wire)["batchId"]);
    expect(headers(submitted)).toEqual(naming("/api/v1/ves/events/ingest"));

    const query = streamQuery(signer);
    const head = await call("GET", url("/api/v1/head", query));
    expect(head.body).toEqual({ head_sequence: 3 });
    expect(headers(head)).toEqual(naming("/api/v1/ves/head"));

    const page = await call<{ events: { envelope: Wire; sequenced_at: string }[] }>(
      "GET",
      url("/api/v1/events", { ...query, from: 0, limit: 2 }),
    );
    expect(page.body).toMatchObject({ count: 2, head_sequence: 3, has_more: true });
    expect(headers(page)).toEqual(naming("/api/v1/ves/events"));
    for (const [index, { envelope, sequenced_at }] of page.body.events.entries()) {
      const wire = events[index] ?? {};
      expect(envelope).toEqual({
        ...wire,
        source_agent: signer.agentId,
        sequence_number: index + 1,
        sequenced_at,
        envelope_version: 1,
        payload_hash: textOf(wire, "payload_plain_hash").slice(2),
        signature: Array.from(fromHex(textOf(wire, "agent_signature"))),
      });
    }
    const rest = await call<{ events: unknown[] }>("GET", url("/api/v1/events", { ...query, from: 3 }));
    expect(rest.body).toMatchObject({
      count: 1,
      has_more: false,
      events: [{ envelope: { event_id: events[2]?.["event_id"] } }],
    });

    const id = textOf(events[0], "event_id");
    const one = await call("GET", url(`/api/v1/events/${id}`, query));
    expect(one.body).toEqual(page.body.events[0]);
    expect(headers(one)).toEqual(naming(`/api/v1/ves/events/${id}`));

    const entity = await history(signer, "order", "o%2F1", {}, "/api/v1");
    expect(entity.body).toEqual({
      entity_type: "order",
      entity_id: "o/1",
      count: 2,
      total: 2,
      has_more: false,
      events: page.body.events,
    });
    expect(headers(entity)).toEqual(naming("/api/v1/ves/entities/order/o%2F1"));
  });

  it("names the successor in its errors too", async () => {
    const signer = await newAgent();
    const unknown = crypto.randomUUID();
    const missing = await call("GET", url(`/api/v1/events/${unknown}`, streamQuery(signer)));
    expectError(missing, "EVENT_NOT_FOUND", `Event ${unknown} is not in this stream`);
    expect(headers(missing)).toEqual(naming(`/api/v1/ves/events/${unknown}`));
    const anonymous = await call("GET", "/api/v1/head", { key: null });
    expectError(anonymous, "AUTH_REQUIRED", /^Authentication required/);
    expect(headers(anonymous)).toEqual(naming("/api/v1/ves/head"));
    expect(headers(await call("GET", url("/api/v1/ves/head", streamQuery(signer))))).toEqual([null, null, null]);
  });
});
