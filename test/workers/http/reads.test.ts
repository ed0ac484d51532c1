import { beforeAll, describe, expect, it } from "vitest";
import type { ErrorCode } from "../../../src/errors.ts";
import {
  accept,
  call,
  event,
  expectError,
  type LogAnswer,
  newAgent,
  type Reply,
  streamQuery,
  url,
  type Wire,
  textOf,
} from "./harness.ts";

type Agent = Awaited<ReturnType<typeof newAgent>>;

const MISSING = "Invalid input: expected string, received undefined";

function read(
  signer: Pick<Agent, "tenantId" | "storeId">,
  query: Record<string, string | number | undefined> = {},
): Promise<Reply<LogAnswer>> {
  return call("GET", url("/api/v1/ves/events", { ...streamQuery(signer), ...query }));
}

function numbers({ events }: LogAnswer): unknown[] {
  return events.map(({ envelope }) => envelope["sequence_number"]);
}

describe("pages of a log", () => {
  let signer: Agent;
  let second: Agent;
  let log: Wire[];

  // 1 to 7: two agents, three entity types, four event types.
  beforeAll(async () => {
    signer = await newAgent();
    second = await newAgent(signer.tenantId, signer.storeId);
    const of = (agent: Agent, entityType: string, eventType: string) => event(agent, { entityType, eventType });
    const mine = [
      await of(signer, "order", "order.created"),
      await of(signer, "order", "order.shipped"),
      await of(signer, "product", "product.created"),
    ];
    const theirs = [await of(second, "order", "order.created"), await of(second, "order", "order.shipped")];
    const last = [await of(signer, "return", "return.requested"), await of(signer, "order", "order.shipped")];
    await accept(signer, ...mine);
    await accept(second, ...theirs);
    await accept(signer, ...last);
    log = [...mine, ...theirs, ...last];
  });

  it.each<[Record<string, number>, number[], number, boolean]>([
    [{}, [1, 2, 3, 4, 5, 6, 7], 8, false],
    [{ from: 0 }, [1, 2, 3, 4, 5, 6, 7], 8, false],
    [{ from: 3, limit: 2 }, [3, 4], 5, true],
    [{ from: 6, limit: 2 }, [6, 7], 8, false],
    [{ from: 7, limit: 1000 }, [7], 8, false],
    [{ from: 8 }, [], 8, false],
    [{ from: 500 }, [], 500, false],
    [{ from: 2 ** 53 - 1 }, [], 2 ** 53 - 1, false],
    [{ after: 0, limit: 1 }, [1], 2, true],
    [{ after: 5 }, [6, 7], 8, false],
    [{ after: 5, from: 1 }, [6, 7], 8, false],
    [{ after: 7 }, [], 8, false],
    [{ after: 7, wait: 0 }, [], 8, false],
    [{ limit: 5000 }, [1, 2, 3, 4, 5, 6, 7], 8, false],
  ])("%j", async (query, expected, next, more) => {
    const { body } = await read(signer, query);
    expect(numbers(body)).toEqual(expected);
    expect(body).toMatchObject({ count: expected.length, next_sequence: next, head_sequence: 7, has_more: more });
    expect(body.events.map(({ envelope }) => envelope["event_id"])).toEqual(
      expected.map((number) => log[number - 1]?.["event_id"]),
    );
  });

  it.each<[Record<string, string | number>, number[]]>([
    [{ entity_type: "order" }, [1, 2, 4, 5, 7]],
    [{ event_type: "order.shipped" }, [2, 5, 7]],
    [{ entity_type: "order", event_type: "order.created" }, [1, 4]],
    [{ entity_type: "Order" }, []],
    [{ entity_type: "order%" }, []],
    [{ event_type: "order.*" }, []],
    [{ entity_type: "order", from: 5 }, [5, 7]],
    [{ agent_id: "second" }, [4, 5]],
    [{ agent_id: "second", event_type: "order.shipped" }, [5]],
    [{ agent_id: crypto.randomUUID() }, []],
  ])("filtered by %j, in any number of pages", async (filter, expected) => {
    const query = filter["agent_id"] === "second" ? { ...filter, agent_id: second.agentId } : filter;
    expect(numbers((await read(signer, query)).body)).toEqual(expected);
    const walked: unknown[] = [];
    let from: number | string | undefined = query["from"];
    for (let pages = 0; pages < 10; pages++) {
      const { body } = await read(signer, { ...query, from, limit: 1 });
      walked.push(...numbers(body));
      if (!body.has_more) break;
      from = body.next_sequence;
    }
    expect(walked).toEqual(expected);
  });

  it("one event and one receipt by its id", async () => {
    const wire = log[3];
    const [plain, upper] = [textOf(wire, "event_id"), textOf(wire, "event_id").toUpperCase()];
    for (const id of [plain, upper, `urn:uuid:${plain}`]) {
      const reply = await call<{ envelope: Wire; sequenced_at: string }>(
        "GET",
        url(`/api/v1/ves/events/${id}`, streamQuery(signer)),
      );
      expect(reply.body).toMatchObject({
        envelope: { ...wire, source_agent: second.agentId, sequence_number: 4, sequenced_at: reply.body.sequenced_at },
      });
    }
    const receipt = await call("GET", url(`/api/v1/ves/receipts/${plain}`, streamQuery(signer)));
    expect(receipt.body).toMatchObject({
      eventId: plain,
      sequenceNumber: 4,
      signatureAlg: "ed25519",
      sequencerKeyVersion: 1,
    });
  });

  it.each(["/api/v1/ves/events/", "/api/v1/events/", "/api/v1/ves/receipts/"])(
    "404 %s: unknown, or of another stream",
    async (path) => {
      const unknown = crypto.randomUUID();
      expectError(
        await call("GET", url(path + unknown, streamQuery(signer))),
        "EVENT_NOT_FOUND",
        `Event ${unknown} is not in this stream`,
      );
      const id = textOf(log[0], "event_id");
      const elsewhere = { ...streamQuery(signer), store_id: crypto.randomUUID() };
      expectError(await call("GET", url(path + id, elsewhere)), "EVENT_NOT_FOUND", `Event ${id} is not in this stream`);
      expectError(
        await call("GET", url(`${path}first`, streamQuery(signer))),
        "INVALID_FIELD_VALUE",
        "event_id: expected a UUID",
      );
    },
  );
});

it("a page has 1,000 events however many are asked for, and 100 when none are", async () => {
  const signer = await newAgent();
  const events = await Promise.all(Array.from({ length: 1003 }, () => event(signer)));
  await accept(signer, ...events.slice(0, 1000));
  await accept(signer, ...events.slice(1000));
  const page = (await read(signer, { limit: 5000 })).body;
  expect(page).toMatchObject({ count: 1000, next_sequence: 1001, head_sequence: 1003, has_more: true });
  expect(numbers((await read(signer, { from: page.next_sequence, limit: 5000 })).body)).toEqual([1001, 1002, 1003]);
  expect((await read(signer)).body).toMatchObject({ count: 100, next_sequence: 101, has_more: true });
});

it("a stream that was never written is empty everywhere", async () => {
  const stream = { tenantId: crypto.randomUUID(), storeId: crypto.randomUUID() };
  const query = streamQuery(stream);
  expect((await read(stream, { from: 9 })).body).toEqual({
    events: [],
    count: 0,
    next_sequence: 9,
    head_sequence: 0,
    has_more: false,
  });
  expect((await call("GET", url("/api/v1/ves/head", query))).body).toEqual({
    head_sequence: 0,
    sealed_sequence: 0,
    anchored_sequence: 0,
    state_root: "0".repeat(64),
    latest_commitment: null,
    mirrored_sequence: 0,
    frozen: null,
  });
  expect((await call("GET", url("/api/v1/ves/entities/order/o1", query))).body).toEqual({
    entity_type: "order",
    entity_id: "o1",
    events: [],
    count: 0,
    total: 0,
    current_version: 0,
    has_more: false,
  });
});

describe("400: query parameters", () => {
  const tenant = "tenant_id=11111111-1111-4111-8111-111111111111";
  const stream = `${tenant}&store_id=22222222-2222-4222-8222-222222222222`;
  const WHOLE = "expected a whole number";
  const cases: [string, ErrorCode, string][] = [
    ["", "MISSING_REQUIRED_FIELD", `tenant_id: ${MISSING}`],
    [tenant, "MISSING_REQUIRED_FIELD", `store_id: ${MISSING}`],
    ["tenantId=11111111-1111-4111-8111-111111111111", "MISSING_REQUIRED_FIELD", `tenant_id: ${MISSING}`],
    [`${tenant}&store_id=`, "INVALID_FIELD_VALUE", "store_id: expected a UUID"],
    [`${tenant}&store_id=store`, "INVALID_FIELD_VALUE", "store_id: expected a UUID"],
  ];
  const paths = [
    "/api/v1/ves/head",
    "/api/v1/ves/events",
    "/api/v1/ves/entities/a/b",
    "/api/v1/head",
    "/api/v1/events",
    "/api/v1/entities/a/b",
  ];
  it.each(paths.flatMap((path) => cases.map((one) => [path, ...one] as const)))(
    "%s?%s",
    async (path, query, code, message) => {
      expectError(await call("GET", `${path}?${query}`), code, message);
    },
  );

  const pages = ["/api/v1/ves/events", "/api/v1/events"];
  const pageCases: [string, string][] = [
    ["limit=0", "limit: Too small: expected number to be >=1"],
    ["limit=-1", `limit: ${WHOLE}`],
    ["limit=1.5", `limit: ${WHOLE}`],
    ["limit=1e2", `limit: ${WHOLE}`],
    ["limit=", `limit: ${WHOLE}`],
    ["limit=all", `limit: ${WHOLE}`],
    ["limit=99999999999999999", `limit: ${WHOLE}`],
    ["from=-1", `from: ${WHOLE}`],
    ["from=0x10", `from: ${WHOLE}`],
    ["from=%201", `from: ${WHOLE}`],
    ["from=9007199254740992", "from: Too big: expected number to be <=9007199254740991"],
  ];
  it.each(pages.flatMap((path) => pageCases.map((one) => [path, ...one] as const)))(
    "%s?%s",
    async (path, query, message) => {
      expectError(await call("GET", `${path}?${stream}&${query}`), "INVALID_FIELD_VALUE", message);
    },
  );

  it.each([
    ["after=x", `after: ${WHOLE}`],
    ["wait=31", "wait: Too big: expected number to be <=30"],
    ["wait=-1", `wait: ${WHOLE}`],
    ["agent_id=me", "agent_id: expected a UUID"],
    ["entity_type=", "entity_type: expected 1 to 128 bytes"],
    [`entity_type=${"x".repeat(129)}`, "entity_type: expected 1 to 128 bytes"],
    [`event_type=${"%C3%A9".repeat(129)}`, "event_type: expected 1 to 256 bytes"],
  ])("/api/v1/ves/events?%s", async (query, message) => {
    expectError(await call("GET", `/api/v1/ves/events?${stream}&${query}`), "INVALID_FIELD_VALUE", message);
  });

  it("permission comes after the form of the request, before existence", async () => {
    const signer = await newAgent();
    expectError(
      await call("GET", `/api/v1/ves/events?${stream}&limit=0`, { key: null }),
      "AUTH_REQUIRED",
      /^Authentication/,
    );
    expect((await call("GET", url("/api/v1/ves/head", streamQuery(signer)))).status).toBe(200);
  });
});

describe.concurrent("long poll", () => {
  it("answers at once when there is something", async () => {
    const signer = await newAgent();
    await accept(signer, await event(signer));
    const started = Date.now();
    expect(numbers((await read(signer, { after: 0, wait: 30 })).body)).toEqual([1]);
    expect(Date.now() - started).toBeLessThan(5_000);
  });

  it.each(["a known store", "a store that does not exist yet"])(
    "answers as soon as an event arrives in %s",
    async (which) => {
      const signer = await newAgent();
      const known = which === "a known store" ? 1 : 0;
      if (known === 1) await accept(signer, await event(signer));
      const waiting = read(signer, { after: known, wait: 30 });
      let answered = false;
      void waiting.then(() => (answered = true));
      await scheduler.wait(200);
      expect(answered).toBe(false);
      const started = Date.now();
      await accept(signer, await event(signer));
      const { body } = await waiting;
      expect(numbers(body)).toEqual([known + 1]);
      expect(body).toMatchObject({ next_sequence: known + 2, head_sequence: known + 1 });
      expect(Date.now() - started).toBeLessThan(5_000);
    },
  );

  it("answers empty when its time is over", async () => {
    const signer = await newAgent();
    await accept(signer, await event(signer));
    for (const stream of [signer, { ...signer, storeId: crypto.randomUUID() }]) {
      const started = Date.now();
      const { body } = await read(stream, { after: 1, wait: 1 });
      expect(Date.now() - started).toBeGreaterThanOrEqual(950);
      expect(body).toMatchObject({ events: [], count: 0, next_sequence: 2, has_more: false });
    }
  });

  it("a filter that the new event does not pass: an empty page that goes on behind it", async () => {
    const signer = await newAgent();
    await accept(signer, await event(signer));
    const waiting = read(signer, { after: 1, wait: 30, entity_type: "order" });
    await scheduler.wait(100);
    await accept(signer, await event(signer));
    expect((await waiting).body).toMatchObject({ events: [], next_sequence: 3, head_sequence: 2, has_more: false });
  });
});
