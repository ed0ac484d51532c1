import { describe, expect, test } from "vitest";
import { AgentError } from "../../../agent/src/errors.ts";
import { openSqliteStore } from "../../../agent/src/store/sqlite.ts";
import { httpTransport } from "../../../agent/src/transport.ts";
import { pinSequencerKeys } from "../../../agent/src/trust.ts";
import { generateSeed, signingKeyFromSeed, toHex } from "../../../src/ves/index.ts";
import { orderEvent, testStream } from "../../support/agents.ts";

const ids = (events: readonly { readonly eventId: string }[]): string[] => events.map(({ eventId }) => eventId);

describe("push", () => {
  test("sends what was recorded in its order, in batches, and verifies the receipts", async () => {
    const { model, agent: newAgent } = await testStream();
    const { agent } = await newAgent({ batchEvents: 4 });
    const recorded = await Promise.all(Array.from({ length: 10 }, () => agent.record(orderEvent())));
    expect(model.requests).toEqual([]);

    const { outcomes, stopped } = await agent.push();
    expect(stopped).toBeNull();
    expect(outcomes.map(({ kind }) => kind)).toEqual(Array.from({ length: 10 }, () => "accepted"));
    expect(ids(outcomes)).toEqual(ids(recorded));
    expect(model.log.map(({ event_id: id }) => id)).toEqual(ids(recorded));
    expect(model.pushed.map(({ length }) => length)).toEqual([4, 4, 2]);
    expect(model.requests.filter((request) => request.endsWith("/sequencer/keys"))).toHaveLength(1);
    expect(agent.outcome(recorded[9]?.eventId ?? "")).toMatchObject({ kind: "accepted", sequenceNumber: 10 });
    expect(await agent.push()).toEqual({ outcomes: [], stopped: null });
  });

  test("bounds a request by its characters", async () => {
    const { model, agent: newAgent } = await testStream();
    const { agent } = await newAgent({ batchCharacters: 3_000 });
    for (let i = 0; i < 6; i++) await agent.record(orderEvent());
    await agent.push();
    expect(model.pushed.flat()).toHaveLength(6);
    expect(model.pushed.length).toBeGreaterThan(1);
  });

  test("tells a lost answer, and repeats it without sequencing anything twice", async () => {
    const { model, agent: newAgent } = await testStream();
    const { agent } = await newAgent();
    const recorded = [await agent.record(orderEvent()), await agent.record(orderEvent())];
    model.interfere = () => "answer lost";
    const first = await agent.push();
    expect(first.outcomes.map(({ kind }) => kind)).toEqual(["unknown", "unknown"]);
    expect(first.stopped).toMatchObject({ code: "UNREACHABLE" });
    expect(agent.status()).toMatchObject({ outbox: { pending: 2, accepted: 0 }, unanswered: 2 });

    model.interfere = () => undefined;
    const second = await agent.push();
    expect(second.outcomes.map(({ kind }) => kind)).toEqual(["replayed", "replayed"]);
    expect(model.log.map(({ event_id: id }) => id)).toEqual(ids(recorded));
    expect(agent.status()).toMatchObject({ outbox: { pending: 0, accepted: 2 }, unanswered: 0, pushedSequence: 2 });
  });

  test("a rejected event does not hold up those behind it, and the advice says what to do", async () => {
    const { model, agent: newAgent } = await testStream();
    const { agent } = await newAgent();
    const reasons = {
      "a.policy": ["policy_violation: event type", "ask-admin"],
      "b.key": ["agent_key_invalid: Agent key has been revoked", "register-key"],
      "c.command": ["duplicate_command_id", "nothing"],
      "d.schema": ["schema_validation", "ask-admin"],
      "e.hash": ["invalid_payload_hash", "correct"],
    } as const;
    for (const [eventType, [reason]] of Object.entries(reasons)) model.rejections.set(eventType, reason);
    for (const eventType of Object.keys(reasons)) await agent.record({ ...orderEvent(), eventType });
    const last = await agent.record(orderEvent());
    const { outcomes } = await agent.push();
    const expected = Object.values(reasons).map(([reason, advice]) => ({ kind: "rejected", reason, advice }));
    expect(outcomes).toMatchObject([...expected, { kind: "accepted", eventId: last.eventId, sequenceNumber: 1 }]);
    expect(agent.status().outbox).toMatchObject({ rejected: 5, accepted: 1, pending: 0 });
    expect(await agent.push()).toEqual({ outcomes: [], stopped: null });
  });

  test("an event that the sequencer would not take at all is found among others and left out", async () => {
    const { model, agent: newAgent } = await testStream();
    const { agent } = await newAgent();
    const recorded = [];
    for (let i = 0; i < 7; i++) recorded.push(await agent.record(orderEvent()));
    const bad = recorded[4]?.eventId ?? "";
    model.interfere = ({ body }) => (body?.includes(bad) ? { status: 413, code: "PAYLOAD_TOO_LARGE" } : undefined);
    const { outcomes, stopped } = await agent.push();
    expect(stopped).toBeNull();
    expect(outcomes.filter(({ kind }) => kind === "accepted")).toHaveLength(6);
    expect(outcomes[4]).toMatchObject({ kind: "rejected", eventId: bad, reason: "request_refused: PAYLOAD_TOO_LARGE" });
    expect(model.log.map(({ event_id: id }) => id)).toEqual(ids(recorded).filter((id) => id !== bad));
  });

  test("a half that gets no answer leaves an outcome for each event of the whole", async () => {
    const { model, agent: newAgent } = await testStream();
    const { agent } = await newAgent();
    const recorded = [];
    for (let i = 0; i < 8; i++) recorded.push(await agent.record(orderEvent()));
    const whole = { status: 413, code: "PAYLOAD_TOO_LARGE" };
    // All 8, and the first 4, are too many; the first 2 pass, and then nothing does.
    const answers = [whole, whole, undefined];
    model.interfere = ({ method }) => {
      if (method === "GET") return undefined;
      return answers.length > 0 ? answers.shift() : "cut";
    };
    const { outcomes, stopped } = await agent.push();
    expect(stopped).toMatchObject({ code: "UNREACHABLE" });
    expect(ids(outcomes)).toEqual(ids(recorded));
    const kinds = outcomes.map(({ kind }) => kind);
    expect(kinds).toEqual(["accepted", "accepted", ...Array.from({ length: 6 }, () => "unknown")]);
  });

  test.each([
    [400, "<html>400 Bad Request</html>", "MALFORMED_ANSWER"],
    [405, "", "MALFORMED_ANSWER"],
    [407, "Proxy Authentication Required", "MALFORMED_ANSWER"],
    [413, "<html>413 Request Entity Too Large</html>", "MALFORMED_ANSWER"],
    [421, "", "MALFORMED_ANSWER"],
    [422, '{"code":"UNPROCESSABLE","message":"says a gateway"}', "MALFORMED_ANSWER"],
    [451, "", "MALFORMED_ANSWER"],
  ])("an answer of %i %s that is not the sequencer's rejects nothing", async (status, foreign, expected) => {
    const { model, agent: newAgent } = await testStream();
    const { agent } = await newAgent();
    for (let i = 0; i < 4; i++) await agent.record(orderEvent());
    model.interfere = () => ({ status, foreign });
    const { outcomes, stopped } = await agent.push();
    expect(stopped).toMatchObject({ code: expected, message: expect.stringContaining(`${status}`) });
    expect(outcomes.map(({ kind }) => kind)).toEqual(["unknown", "unknown", "unknown", "unknown"]);
    expect(model.requests).toHaveLength(1);
    expect(agent.status().outbox).toMatchObject({ pending: 4, rejected: 0 });
    model.interfere = () => undefined;
    expect((await agent.push()).outcomes.map(({ kind }) => kind)).toEqual(Array.from({ length: 4 }, () => "accepted"));
  });

  test.each([
    [405, "METHOD_NOT_ALLOWED"],
    [409, "LIMIT_REACHED"],
    [415, "UNSUPPORTED_MEDIA_TYPE"],
    [426, "UPGRADE_REQUIRED"],
    [400, "TENANT_ID_NOT_ALLOWED"],
  ])("a refusal of %i %s, which is not of the events, rejects nothing", async (status, code) => {
    const { model, agent: newAgent } = await testStream();
    const { agent } = await newAgent();
    for (let i = 0; i < 4; i++) await agent.record(orderEvent());
    model.interfere = () => ({ status, code });
    expect((await agent.push()).stopped).toMatchObject({ code: "REFUSED", server: { status, code } });
    expect(agent.status().outbox).toMatchObject({ pending: 4, rejected: 0 });
  });

  test.each([
    [301, "https://sequencer.test/api?secret=1", "to https://sequencer.test/api,"],
    [307, "/login", "to http://seq.test/login,"],
    [302, null, "elsewhere,"],
  ])("a redirection of %i to %s is not followed, and told", async (status, location, where) => {
    const { agent: newAgent } = await testStream();
    const asked: Request[] = [];
    const answer = (request: Request): Promise<Response> => {
      asked.push(request);
      return Promise.resolve(new Response("", { status, headers: location === null ? {} : { location } }));
    };
    const transport = httpTransport({ url: "http://seq.test", credential: "k", fetch: answer });
    const { agent } = await newAgent({ transport });
    for (let i = 0; i < 2; i++) await agent.record(orderEvent());
    const { outcomes, stopped } = await agent.push();
    expect(stopped).toMatchObject({ code: "INVALID_OPTIONS", message: expect.stringContaining(`leads ${where}`) });
    expect(stopped?.message).not.toContain("secret");
    expect(outcomes.map(({ kind }) => kind)).toEqual(["unknown", "unknown"]);
    expect(asked.map(({ method, redirect }) => ({ method, redirect }))).toEqual([
      { method: "POST", redirect: "manual" },
    ]);
  });

  test.each([
    [401, "INVALID_API_KEY", "UNAUTHORIZED", 1],
    [403, "INSUFFICIENT_PERMISSIONS", "FORBIDDEN", 1],
    [503, "STREAM_FROZEN", "STREAM_FROZEN", 1],
    [503, "SERVICE_UNAVAILABLE", "UNREACHABLE", 3],
    [429, "RATE_LIMIT_EXCEEDED", "UNREACHABLE", 3],
    [500, "INTERNAL_ERROR", "UNREACHABLE", 3],
  ])("answers of %i %s stop it with %s after %i tries, and lose nothing", async (status, code, expected, tries) => {
    const { model, agent: newAgent } = await testStream();
    const { agent } = await newAgent();
    await agent.record(orderEvent());
    model.interfere = () => ({ status, code });
    const { outcomes, stopped } = await agent.push();
    expect(stopped).toBeInstanceOf(AgentError);
    expect(stopped).toMatchObject({ code: expected, server: { status, code } });
    expect(outcomes.map(({ kind }) => kind)).toEqual(["unknown"]);
    expect(model.requests).toHaveLength(tries);
    model.interfere = () => undefined;
    expect((await agent.push()).outcomes[0]).toMatchObject({ kind: "accepted" });
  });

  test("waits as long as the sequencer asks, but not longer than it may", async () => {
    const { model, agent: newAgent } = await testStream();
    const { agent } = await newAgent({ retry: { attempts: 2, firstDelayMs: 1, maxDelayMs: 1_500 } });
    await agent.record(orderEvent());
    let asked = 0;
    model.interfere = () => (asked++ === 0 ? { status: 503, code: "SERVICE_UNAVAILABLE", retryAfter: "1" } : undefined);
    const started = Date.now();
    expect((await agent.push()).stopped).toBeNull();
    expect(Date.now() - started).toBeGreaterThanOrEqual(990);

    await agent.record(orderEvent());
    model.interfere = () => ({ status: 429, code: "RATE_LIMIT_EXCEEDED", retryAfter: "60" });
    expect((await agent.push()).stopped).toMatchObject({ code: "UNREACHABLE", retryAfterMs: 60_000 });
  });

  test("a receipt that does not verify counts for nothing", async () => {
    const { model, agent: newAgent } = await testStream();
    const { agent } = await newAgent();
    await agent.record(orderEvent());
    const forge = (member: string, value: string | number) => () => (answer: object) => {
      const { receipts, ...rest } = answer as { receipts?: object[] };
      return receipts === undefined ? answer : { ...rest, receipts: [{ ...receipts[0], [member]: value }] };
    };
    for (const [member, value] of [
      ["receiptHash", "00".repeat(32)],
      ["sequencerSignature", "00".repeat(64)],
      ["sequencerSignature", "no hex"],
      ["sequenceNumber", 2],
      ["sequencerKeyVersion", 7],
    ] as const) {
      model.interfere = forge(member, value);
      expect((await agent.push()).stopped).toMatchObject({ code: "INVALID_RECEIPT" });
      expect(agent.status().outbox).toMatchObject({ pending: 1, accepted: 0 });
    }
    model.interfere = () => (answer) => ({ ...answer, receipts: [] });
    expect((await agent.push()).stopped).toMatchObject({ code: "MALFORMED_ANSWER" });
    model.interfere = () => undefined;
    expect((await agent.push()).outcomes[0]).toMatchObject({ kind: "replayed", sequenceNumber: 1 });
  });

  test("ends when it is told to", async () => {
    const { model, agent: newAgent } = await testStream();
    const { agent } = await newAgent({ retry: { attempts: 100, firstDelayMs: 10_000, maxDelayMs: 10_000 } });
    await agent.record(orderEvent());
    model.interfere = () => "cut";
    const { stopped } = await agent.push({ signal: AbortSignal.timeout(50) });
    expect(stopped).toMatchObject({ code: "ABORTED" });
  });

  test("signs version 1 when asked to", async () => {
    const { model, agent: newAgent } = await testStream();
    const { agent } = await newAgent({ vesVersion: 1 });
    await agent.record(orderEvent());
    await agent.push();
    expect(model.log[0]).toMatchObject({ ves_version: 1 });
    await agent.pull();
    expect(agent.status()).toMatchObject({ pulledSequence: 1, quarantined: 0 });
  });
});

describe("the sequencer's keys", () => {
  test("are pinned on first use; another key under a known version is refused", async () => {
    const { model, agent: newAgent } = await testStream();
    const { agent } = await newAgent();
    await agent.record(orderEvent());
    await agent.push();
    model.keys.set(1, await signingKeyFromSeed(generateSeed()));
    await agent.record(orderEvent());
    expect((await agent.push()).stopped).toMatchObject({ code: "INVALID_RECEIPT" });
    model.keys.set(2, await signingKeyFromSeed(generateSeed()));
    expect((await agent.push()).stopped).toMatchObject({ code: "SEQUENCER_KEY_CHANGED" });
    expect(agent.status().outbox).toMatchObject({ accepted: 1, pending: 1 });
  });

  test("rotate: a new version beside the pinned one is believed when it is approved, and only then", async () => {
    const { model, agent: newAgent } = await testStream();
    const asked: number[] = [];
    const { agent } = await newAgent({ trust: { approveKey: () => true } });
    const strict = (await newAgent({ trust: { approveKey: ({ version }) => (asked.push(version), false) } })).agent;
    for (const one of [agent, strict]) await one.record(orderEvent()).then(() => one.push());
    model.keys.set(2, await signingKeyFromSeed(generateSeed()));
    for (const one of [agent, strict]) await one.record(orderEvent());
    expect((await agent.push()).stopped).toBeNull();
    expect((await strict.push()).stopped).toMatchObject({ code: "SEQUENCER_KEY_NOT_APPROVED" });
    expect(asked).toEqual([2]);
  });

  test("of an impostor who shows the pinned one beside one of his own are refused until that is approved", async () => {
    const { model, agent: newAgent } = await testStream();
    const store = openSqliteStore(":memory:");
    const { agent, identity } = await newAgent({ store });
    const { agent: reader } = await newAgent();
    await agent.record(orderEvent());
    await agent.push();
    await reader.pull();
    const own = await signingKeyFromSeed(generateSeed());
    model.keys.set(2, own);
    await agent.record(orderEvent());
    const { stopped } = await agent.push();
    expect(stopped).toMatchObject({ code: "SEQUENCER_KEY_NOT_APPROVED" });
    expect(stopped?.message).toContain(`2=${toHex(own.publicKey)}`);
    expect(agent.status().outbox).toMatchObject({ accepted: 1, pending: 1 });
    const stranger = await newAgent();
    model.register({ ...stranger.identity, keyId: 2 }, own);
    await stranger.agent.record(orderEvent());
    await stranger.agent.push();
    await expect(reader.pull()).rejects.toMatchObject({ code: "SEQUENCER_KEY_NOT_APPROVED" });
    // Another process approves it.
    pinSequencerKeys(store, identity, [{ version: 2, publicKey: toHex(own.publicKey) }]);
    expect((await agent.push()).stopped).toBeNull();
    const other = { version: 1, publicKey: toHex(own.publicKey) };
    expect(() => pinSequencerKeys(store, identity, [other])).toThrow(/another than was pinned/);
  });

  test("of a stranger who knows none of those that are pinned are refused", async () => {
    const { model, agent: newAgent } = await testStream();
    const { agent } = await newAgent();
    await agent.record(orderEvent());
    await agent.push();
    model.keys.delete(1);
    model.keys.set(5, await signingKeyFromSeed(generateSeed()));
    await agent.record(orderEvent());
    expect((await agent.push()).stopped).toMatchObject({ code: "SEQUENCER_KEY_CHANGED" });
  });

  test("that are given from outside are the only ones believed", async () => {
    const { agent: newAgent } = await testStream();
    const { agent } = await newAgent({ trust: { sequencerKeys: { 1: "11".repeat(32) } } });
    await agent.record(orderEvent());
    expect((await agent.push()).stopped).toMatchObject({ code: "INVALID_RECEIPT" });
  });

  test.each<[string, Record<string, string>]>([
    ["no key", {}],
    ["a key that is too short", { 1: "11".repeat(31) }],
    ["a key that is no hex", { 1: "11".repeat(32), 2: "xy".repeat(32) }],
    ["a version that is none", { latest: "11".repeat(32) }],
  ])("are not given with %s", async (_what, sequencerKeys) => {
    const { agent: newAgent } = await testStream();
    const agent = newAgent({ trust: { sequencerKeys } });
    const message = expect.stringContaining("trust.sequencerKeys");
    await expect(agent).rejects.toMatchObject({ code: "INVALID_OPTIONS", message });
  });
});
