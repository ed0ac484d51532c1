import { describe, expect, test } from "vitest";
import { liveMessage } from "../../../src/http/live.ts";
import { MAX_FRAME_BYTES } from "../../../src/stream/live-credit.ts";
import { type LiveClient, provenNumbers } from "../../support/live-client.ts";
import { call, newAgent, readLog, streamQuery, textOf, url } from "../http/harness.ts";
import { commit, fireAlarm, later, push, range, subscribe } from "./subscribers.ts";

const LONG = 150_000;
/** More than a message may have. */
const TOO_LONG = 950_000;

function expectDocumented({ messages, sizes }: LiveClient): void {
  for (const message of messages) expect(liveMessage.parse(message)).toEqual(message);
  for (const size of sizes) expect(size).toBeLessThanOrEqual(MAX_FRAME_BYTES);
}

describe("events", () => {
  test("come once and in order while many append", async () => {
    const signer = await newAgent();
    await push(signer, 3);
    const froms = [1, 3, 40];
    const clients = await Promise.all(froms.map((from) => subscribe(signer, { from })));
    await Promise.all(range(1, 30).map((n) => push(signer, 1 + (n % 4))));
    const { events } = await readLog(signer);
    expect(events.length).toBeGreaterThan(60);
    for (const [index, client] of clients.entries()) {
      const from = froms[index] ?? 0;
      await client.until(() => client.sequence === events.length);
      expect(client.messages[0]).toEqual({
        type: "subscribed",
        from,
        proven: from - 1,
        head_sequence: 3,
        sealed_sequence: 0,
      });
      expect(client.numbers).toEqual(range(from, events.length));
      expect(client.envelopes).toEqual(events.slice(from - 1).map(({ envelope }) => envelope));
      expectDocumented(client);
    }
  });

  test("that the filters let through come, and the others are passed over", async () => {
    const [signer, colleague] = await agentsOfOneStream();
    for (const agent of [signer, colleague]) {
      await push(agent, 2, { entityType: "order", eventType: "order.created" });
      await push(agent, 2, { entityType: "order", eventType: "order.shipped" });
      await push(agent, 1, { entityType: "größe €", eventType: "order.shipped" });
    }
    const expected: readonly (readonly [Record<string, string>, number[]])[] = [
      [{ entity_type: "order" }, [1, 2, 3, 4, 6, 7, 8, 9]],
      [{ event_type: "order.shipped" }, [3, 4, 5, 8, 9, 10]],
      [{ agent_id: colleague.agentId }, [6, 7, 8, 9, 10]],
      [{ entity_type: "größe €", agent_id: signer.agentId }, [5]],
      [{ entity_type: "order", event_type: "order.shipped", agent_id: signer.agentId, from: "4" }, [4]],
      [{ entity_type: "nothing" }, []],
    ];
    const clients = await Promise.all(expected.map(([query]) => subscribe(signer, query)));
    // The last event of all passes none of the filters but one, and shows that the others have been passed over.
    await push(signer, 1, { entityType: "order", eventType: "order.created" });
    await commit(signer, 1, 11);
    for (const [index, [query, numbers]] of expected.entries()) {
      const client = clients[index];
      await client?.until(() => client.proven === 11);
      const alsoLast = "entity_type" in query && query["entity_type"] === "order" && !("event_type" in query);
      expect(client?.numbers).toEqual(alsoLast ? [...numbers, 11] : numbers);
      expect(provenNumbers(client?.envelopes ?? [], client?.batches ?? [])).toEqual(client?.numbers);
      if (client !== undefined) expectDocumented(client);
    }
  });

  test("of a backlog come in messages of less than 900 KB, and one that is longer without its payload", async () => {
    const signer = await newAgent();
    for (let n = 0; n < 3; n++) await push(signer, 4, { payload: { text: "ü".repeat(LONG / 2) } });
    await push(signer, 300);
    await push(signer, 1, { payload: { text: "x".repeat(TOO_LONG) } });
    await push(signer, 1);
    const client = await subscribe(signer);
    await client.until(() => client.sequence === 314);
    expect(client.numbers).toEqual(range(1, 314));
    expectDocumented(client);
    expect(client.sizes.length).toBeGreaterThan(4);

    const rows = client.messages.flatMap((message) => (message.type === "events" ? message.events : []));
    const omitted = rows.filter((row) => row.payload_omitted);
    expect(omitted.map(({ envelope }) => envelope.sequence_number)).toEqual([313]);
    expect(omitted[0]?.envelope).not.toHaveProperty("payload");
    const id = omitted[0]?.envelope.event_id ?? "";
    const read = await call<{ envelope: object }>("GET", url(`/api/v1/ves/events/${id}`, streamQuery(signer)));
    expect(read.body.envelope).toMatchObject({ ...omitted[0]?.envelope, payload: { text: "x".repeat(TOO_LONG) } });
  });

  test("are resumed after the last that was seen, and nobody is told of those before", async () => {
    const signer = await newAgent();
    await push(signer, 5);
    const first = await subscribe(signer);
    await first.until(() => first.sequence === 5);
    first.socket.close(1000, "for now");
    await push(signer, 5);
    const second = await subscribe(signer, { from: first.sequence + 1 });
    await second.until(() => second.sequence === 10);
    expect([...first.numbers, ...second.numbers]).toEqual(range(1, 10));
    // Beyond the head there is nothing yet; what comes first is that very number.
    const ahead = await subscribe(signer, { from: 13 });
    await push(signer, 4);
    await ahead.until(() => ahead.sequence === 14);
    expect(ahead.numbers).toEqual([13, 14]);
  });
});

describe("proofs", () => {
  test("of a batch are its root alone for who was sent all of it, and paths for who was not", async () => {
    const signer = await newAgent();
    await push(signer, 9);
    await commit(signer, 1, 4);
    const [all, late] = await Promise.all([subscribe(signer), subscribe(signer, { from: 7 })]);
    await commit(signer, 5, 9);
    await push(signer, 3);
    await commit(signer, 10, 12);
    for (const client of [all, late]) {
      await client.until(() => client.proven === 12);
      expect(provenNumbers(client.envelopes, client.batches)).toEqual(client.numbers);
      expectDocumented(client);
    }
    expect(all.numbers).toEqual(range(1, 12));
    expect(all.batches.map(({ proofs }) => proofs)).toEqual([null, null, null]);
    expect(late.numbers).toEqual(range(7, 12));
    expect(late.batches.map(({ proofs }) => proofs?.length)).toEqual([3, undefined]);
    // The very proof that a read answers.
    const read = await call<{ proof_path: string[]; leaf_index: number }>(
      "GET",
      url("/api/v1/ves/proofs/8", streamQuery(signer)),
    );
    expect(late.batches[0]?.proofs?.[1]).toMatchObject({
      proof_path: read.body.proof_path,
      leaf_index: read.body.leaf_index,
    });
    // The control: one that was tampered with proves nothing.
    const forged = late.envelopes.map((envelope) => ({ ...envelope, event_id: late.envelopes[0]?.event_id ?? "" }));
    expect(() => provenNumbers(forged, late.batches)).toThrow(/the proof of event 8 is none/);
  });

  test("that were missed are told after the subscription is resumed", async () => {
    const signer = await newAgent();
    await push(signer, 6);
    const first = await subscribe(signer);
    const filtered = await subscribe(signer, { entity_type: "inventory" });
    for (const client of [first, filtered]) {
      await client.until(() => client.sequence === 6);
      expect(client.proven).toBe(0);
      client.socket.close();
    }
    await commit(signer, 1, 6);
    await push(signer, 2);
    await commit(signer, 7, 8);
    const [again, filteredAgain] = await Promise.all([
      subscribe(signer, { from: 7, proven: 0 }),
      subscribe(signer, { from: 7, proven: 0, entity_type: "inventory" }),
    ]);
    for (const [before, client] of [
      [first, again],
      [filtered, filteredAgain],
    ] as const) {
      await client.until(() => client.proven === 8);
      expect(client.numbers).toEqual([7, 8]);
      expect(provenNumbers([...before.envelopes, ...client.envelopes], client.batches)).toEqual(range(1, 8));
    }
  });

  test("follow when a batch seals by itself", async () => {
    const signer = await newAgent();
    const stored = await push(signer, 2);
    const client = await subscribe(signer);
    await client.until(() => client.sequence === 2);
    await later(60_000, () => fireAlarm(signer));
    await client.until(() => client.proven === 2);
    expect(provenNumbers(client.envelopes, client.batches)).toEqual([1, 2]);
    expect(client.envelopes[0]?.event_id).toBe(textOf(stored[0], "event_id"));
  });
});

async function agentsOfOneStream() {
  const signer = await newAgent();
  return [signer, await newAgent(signer.tenantId, signer.storeId)] as const;
}
