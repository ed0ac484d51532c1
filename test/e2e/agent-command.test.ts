import { readFileSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Evidence } from "../../agent/src/evidence.ts";
import { freePort } from "../../scripts/lib/ports.ts";
import { toHex } from "../../src/ves/index.ts";
import {
  ANY_UUID,
  errorOf,
  expectNoSecretShown,
  HEX_32,
  modeOf,
  newAgent,
  newPlace,
  ORDER,
  recordOne,
  run,
  secret,
  start,
  startCommandServer,
  streamOf,
  TIME,
} from "./support/agent-command.ts";
import { receiptPublicKey, removeTempDirs, type ServerProcess, tempDir, waitUntil } from "./support/processes.ts";

let server: ServerProcess;

beforeAll(async () => {
  server = await startCommandServer();
});
afterEach(expectNoSecretShown);
afterAll(async () => {
  await server.kill();
  removeTempDirs();
});

describe.concurrent("stateset-sync", () => {
  test("goes from nothing to a proof that somebody else verifies", async () => {
    const place = newPlace();
    const { directory } = place;
    const init = ["init", "--url", server.url, "--api-key-file", "-"];
    const ids = { tenantId: ANY_UUID, storeId: ANY_UUID, agentId: ANY_UUID, keyId: null };
    const made = await place.json(init, 0, { input: `${secret(server.apiKey)}\n` });
    expect(made).toEqual({ directory, isNew: true, url: server.url, ...ids, hasApiKey: true });
    expect(await place.json(["init", "--url", server.url])).toEqual({ ...(made as object), isNew: false });
    const key = { keyId: 1, publicKey: HEX_32 };
    const generated = await place.json(["keys", "generate"]);
    expect(generated).toEqual({ ...key, file: join(directory, "keys", "1.json") });
    expect(await place.json(["keys", "register"])).toEqual({ ...key, isNew: true });
    expect(await place.json(["keys", "register"])).toEqual({ ...key, isNew: false });
    const modes = [[], ["keys"], ["keys", "1.json"], ["api-key"], ["config.json"], ["outbox.db"]];
    expect(modes.map((path) => modeOf(directory, ...path))).toEqual(["700", "700", "600", "600", "600", "600"]);

    const recorded = await place.json(["record", ...ORDER, '{"total":"42.00"}', "--base-version", "current"]);
    expect(recorded).toEqual({ events: [{ eventId: ANY_UUID, baseVersion: 0 }], refused: [] });
    const { eventId } = (recorded as { events: [{ eventId: string }] }).events[0];
    expect(await place.json(["push"])).toEqual({
      outcomes: [{ kind: "accepted", eventId, sequenceNumber: 1 }],
      stopped: null,
      pending: 0,
      conflicts: 0,
    });
    const file = join(directory, "..", "proof.json");
    const proof = await place.json(["proof", eventId, "--out", file]);
    expect(proof).toEqual({ eventId, sequenceNumber: 1, batchId: ANY_UUID, file });
    expect(await place.json(["pull"])).toEqual({ pulled: 1, quarantined: 0, batches: 1, sequence: 1, conflicts: 0 });
    const passed = ["content", "signature", "receipt", "inclusion", "stateRoot"];
    const verdict = { valid: true, passed: [...passed, "log"], problems: [] };
    expect(await place.json(["verify", file])).toEqual(verdict);

    // Somebody else has the proof and the sequencer's public key, and nothing more.
    const believed = ["--sequencer-key", `1=${toHex(await receiptPublicKey())}`];
    expect(await newPlace().json(["verify", file, ...believed])).toEqual({ ...verdict, passed });
    const evidence = JSON.parse(readFileSync(file, "utf8")) as Evidence;
    (evidence.event as { payload: unknown }).payload = { total: "43.00" };
    const tampered = { input: JSON.stringify(evidence) };
    const message = "payload_plain_hash is not the hash of payload";
    expect(await newPlace().json(["verify", "-", ...believed], 1, tampered)).toEqual({
      valid: false,
      passed: passed.slice(1),
      problems: [{ check: "content", message }],
    });
    const { code, out } = await run(["verify", "-", ...believed, "--dir", directory], tampered);
    expect([code, out]).toEqual([1, expect.stringContaining(`fail  content: ${message}\nThe proof is NOT valid.\n`)]);
    const stranger = ["--sequencer-key", `1=${"0".repeat(64)}`];
    expect(await newPlace().json(["verify", file, ...stranger], 1)).toMatchObject({ valid: false });
    expect(await errorOf(newPlace(), ["verify", "-", ...believed], 1, { input: "[" })).toEqual([
      "MALFORMED_PROOF",
      "PROOF is no proof: it is not a JSON object.",
    ]);
    expect(await newPlace().json(["verify", "-", ...believed], 1, { input: "{}" })).toMatchObject({ valid: false });

    const event = {
      entityType: "order",
      entityId: "ORD-1",
      eventType: "order.created",
      payload: { total: "42.00" },
      payloadState: { kind: "plain" },
    };
    const where = { sequenceNumber: 1, sequencedAt: TIME, createdAt: TIME, agentId: ANY_UUID };
    expect(await place.json(["history", "order", "ORD-1"])).toEqual({
      entityType: "order",
      entityId: "ORD-1",
      version: 1,
      events: [{ eventId, ...event, ...where }],
      unsequenced: [],
    });
    const audit = { events: 1, receipts: 1, batches: 1, sealedSequence: 1, stateRoot: HEX_32, problems: [] };
    expect(await place.json(["verify"])).toEqual({ valid: true, ...audit });
    expect(await place.json(["status"])).toEqual({
      url: server.url,
      ...ids,
      keyId: 1,
      outbox: { pending: 0, accepted: 1, rejected: 0, conflict: 0, rebased: 0, dropped: 0 },
      unanswered: 0,
      pushedSequence: 1,
      pulledSequence: 1,
      headSequence: 1,
      sealedSequence: 1,
      stateRoot: HEX_32,
      quarantined: 0,
      contradiction: null,
      lastSyncAt: TIME,
    });
    const { healthy, checks } = (await place.json(["doctor"])) as {
      healthy: boolean;
      checks: { name: string; status: string }[];
    };
    expect([healthy, checks.filter(({ status }) => status !== "ok")]).toEqual([true, []]);
    expect(checks.map(({ name }) => name)).toEqual(
      "config permissions key store log unsent conflicts quarantine server clock sequencer-keys credential registration".split(
        " ",
      ),
    );
  });

  test("asks a contract whether the event is anchored", async () => {
    const place = await newAgent(server);
    const eventId = await recordOne(place);
    await place.json(["push"]);
    const file = join(tempDir(), "proof.json");
    await place.json(["proof", eventId, "--out", file]);
    let answer: object = {};
    const calls: { method: string; params: [{ to: string; data: string }, string] }[] = [];
    const node = createServer((request: IncomingMessage, response) => {
      let text = "";
      request.on("data", (chunk) => (text += chunk));
      request.on("end", () => {
        calls.push(JSON.parse(text));
        response.end(JSON.stringify(answer));
      });
    });
    await new Promise<void>((resolve) => void node.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(node.address() as AddressInfo).port}`;
    const contract = `0x${"5".repeat(40)}`;
    const env = { L2_RPC_URL: url };
    const ask = ["verify", file, "--contract", contract];
    answer = { result: `0x${"1".padStart(64, "0")}` };
    expect(await place.json(ask, 0, { env })).toMatchObject({
      valid: true,
      passed: expect.arrayContaining(["anchor"]),
    });
    expect(calls).toMatchObject([{ method: "eth_call", params: [{ to: contract }, "latest"] }]);
    answer = { result: `0x${"0".repeat(64)}` };
    const message = "the contract does not find the event in an anchored batch";
    expect(await place.json([...ask, "--rpc-url", url], 1)).toMatchObject({ problems: [{ check: "anchor", message }] });
    answer = { error: { message: "too busy" } };
    expect(await errorOf(place, ask, 3, { env })).toEqual([
      "CHAIN_UNREACHABLE",
      "The chain's node cannot be asked: too busy. Look whether --rpc-url is right.",
    ]);
    node.close();
    expect((await errorOf(place, ask, 3, { env }))[0]).toBe("CHAIN_UNREACHABLE");
    expect((await errorOf(place, ask, 2))[1]).toMatch(/^--contract needs --rpc-url/);
  });

  test("records without a network, and pushes when there is one", async () => {
    const place = newPlace();
    const nowhere = `http://127.0.0.1:${await freePort()}`;
    await place.json(["init", "--url", nowhere, "--api-key-file", "-"], 0, { input: secret(server.apiKey) });
    await place.json(["keys", "generate"]);
    const eventId = await recordOne(place);
    const lines = [
      { entityType: "order", entityId: "A", eventType: "order.created", payload: 1, baseVersion: "current" },
      { entityType: "order", entityId: "A", eventType: "order.paid", payload: 2, baseVersion: "current" },
      { entityType: "order", entityId: "B", eventType: "order.paid" },
      { entityType: "order", entityId: "B", eventType: "order.paid", payload: 3, eventId },
      { entityType: "", entityId: "B", eventType: "order.paid", payload: 4 },
    ];
    const input = `${lines.map((line) => JSON.stringify(line)).join("\n")}\n\n{\n`;
    expect(await place.json(["record", "--from", "-"], 1, { input })).toEqual({
      events: [
        { eventId: ANY_UUID, baseVersion: 0 },
        { eventId: ANY_UUID, baseVersion: 1 },
      ],
      refused: [
        { line: 3, code: "INVALID_EVENT", message: "payload: is missing" },
        { line: 4, code: "EVENT_EXISTS", message: `There is an event ${eventId} already` },
        { line: 5, code: "INVALID_EVENT", message: expect.stringContaining("entity_type") as string },
        { line: 7, code: "INVALID_EVENT", message: expect.stringContaining("no JSON") as string },
      ],
    });
    expect((await errorOf(place, ["record", ...ORDER, "1", "--event-id", eventId], 1))[0]).toBe("EVENT_EXISTS");
    const many = lines.slice(0, 1).concat(Array.from({ length: 259 }, () => ({ ...lines[0], entityId: "C" }) as never));
    const path = join(tempDir(), "events.jsonl");
    writeFileSync(path, many.map((line) => JSON.stringify(line)).join("\r\n"));
    expect((await place.run("record", "--from", path)).out).toBe("Recorded 260 events.\n");

    const away = ["--attempts", "1"];
    const failed = await place.json(["push", ...away], 3);
    expect(failed).toMatchObject({ stopped: { code: "UNREACHABLE" }, pending: 263 });
    // The third expects what the second makes: they do not share a request.
    expect((failed as { outcomes: object[] }).outcomes).toMatchObject([{ kind: "unknown" }, { kind: "unknown" }]);
    const told = await place.run("push", ...away);
    expect([told.code, told.out]).toEqual([3, "Pushed 0 events.\n263 events still to be sent.\n"]);
    expect(told.err).toMatch(/^The sequencer cannot be reached: .*\. Try again later; stateset-sync doctor tells.*\n$/);
    expect((await errorOf(place, ["pull", ...away], 3))[0]).toBe("UNREACHABLE");
    expect(await place.json(["verify"])).toMatchObject({ valid: true, events: 0 });
    const doctor = (await place.json(["doctor"], 3)) as { checks: object[] };
    expect(doctor.checks.slice(-4)).toMatchObject([
      { name: "unsent", status: "warn", message: expect.stringMatching(/^263 events to be sent, 2 of them sent/) },
      { name: "conflicts" },
      { name: "quarantine" },
      { name: "server", status: "fail", message: expect.stringContaining(nowhere) },
    ]);

    const config = join(place.directory, "config.json");
    writeFileSync(config, readFileSync(config, "utf8").replace(nowhere, server.url));
    await place.json(["keys", "register"]);
    expect((await place.run("push")).out).toBe("Pushed 263 events.\n");
    expect(await place.json(["pull"])).toMatchObject({ pulled: 263, quarantined: 0 });
    expect((await place.run("history", "order", "A")).out.split("\n")).toHaveLength(4);
  });

  test("lists conflicts, and ends them", async () => {
    const mine = await newAgent(server);
    const other = await newAgent(server, streamOf(mine));
    const based = ["--base-version", "current"];
    const first = await recordOne(mine, ...based);
    const second = await recordOne(mine, ...based);
    await recordOne(other);
    await other.json(["push"]);
    const pushed = await mine.json(["push"], 4);
    expect(pushed).toMatchObject({ outcomes: [{ kind: "rejected", advice: "resolve" }], conflicts: 2, pending: 0 });
    expect((await errorOf(mine, ["resolve", "--all", "--rebase"], 1))[0]).toBe("PULL_FIRST");
    expect(await mine.json(["pull"], 4)).toMatchObject({ pulled: 1, conflicts: 2 });
    const conflict = {
      entityType: "order",
      entityId: "ORD-1",
      eventType: "order.created",
      payload: { total: "42.00" },
      createdAt: TIME,
      message: expect.any(String) as string,
    };
    expect(await mine.json(["conflicts"], 4)).toEqual({
      conflicts: [
        { ...conflict, eventId: first, kind: "version", baseVersion: 0, currentVersion: 1 },
        { ...conflict, eventId: second, kind: "follows", baseVersion: 1, currentVersion: 1 },
      ],
    });
    expect((await mine.run("status")).code).toBe(4);
    expect((await mine.run("conflicts")).out).toContain("expects 0, is 1");
    expect(await mine.json(["resolve", first, "--rebase"])).toEqual({
      resolution: "rebase",
      resolved: [{ eventId: first, replacement: ANY_UUID }],
      remaining: 1,
    });
    expect((await errorOf(mine, ["resolve", first, "--drop"], 1))[0]).toBe("NO_CONFLICT");
    expect((await mine.run("resolve", "--all", "--drop")).out).toBe(`Dropped ${second}\n`);
    expect((await mine.run("push")).out).toBe("Pushed 1 event.\n");
    expect(await mine.json(["conflicts"])).toEqual({ conflicts: [] });
  });

  test("watches until Ctrl-C", async () => {
    const writer = await newAgent(server);
    const reader = await newAgent(server, streamOf(writer));
    const watching = start(["watch", "--json", "--from", "1", "--dir", reader.directory]);
    const readable = start(["watch", "--from", "1", "--count", "2", "--dir", writer.directory]);
    const eventId = await recordOne(writer);
    await writer.json(["push"]);
    await waitUntil(() => watching.out().endsWith("\n"), 10_000, "the event is shown", watching.child);
    expect(JSON.parse(watching.out())).toMatchObject({ sequenceNumber: 1, eventId, payload: { total: "42.00" } });
    watching.child.kill("SIGINT");
    const { code, out, err } = await watching.ended;
    expect([code, err]).toEqual([130, ""]);
    expect(out.split("\n")).toHaveLength(2);
    await recordOne(writer);
    await writer.json(["push"]);
    const counted = await readable.ended;
    expect([counted.code, counted.err]).toEqual([0, ""]);
    expect(counted.out).toMatch(/^1 {2}.*order\.created {2}order ORD-1 {2}\{"total":"42\.00"\}\n2 {2}.*\n$/);
    // Only what comes from now on.
    expect((await errorOf(writer, ["watch", "--timeout", "1"], 3))[0]).toBe("TIMEOUT");
  });

  test("doctor finds what is damaged", async () => {
    const place = await newAgent(server);
    await recordOne(place);
    await place.json(["push"]);
    await place.json(["pull"]);
    const checkOf = async (name: string, code = 1): Promise<object | undefined> => {
      const { checks } = (await place.json(["doctor"], code)) as { checks: { name: string }[] };
      return checks.find((check) => check.name === name);
    };
    const outbox = join(place.directory, "outbox.db");
    const db = new DatabaseSync(outbox);
    db.exec(`UPDATE pulled_events SET quarantine = 'is odd'`);
    expect(await checkOf("quarantine", 0)).toMatchObject({
      status: "warn",
      message: expect.stringContaining("is odd"),
    });
    db.exec(`UPDATE pulled_events SET quarantine = NULL, entity_id = 'other'`);
    expect(await checkOf("log")).toMatchObject({ status: "fail", message: expect.stringMatching(/not the one/) });
    expect(await place.json(["verify"], 1)).toMatchObject({ valid: false, problems: { length: 1 } });
    db.exec(`UPDATE sync_state SET value = json_object('1', '${"0".repeat(64)}') WHERE key = 'sequencer_keys'`);
    expect(await checkOf("sequencer-keys")).toMatchObject({ status: "fail" });
    db.close();
    writeFileSync(outbox, "no database at all, but long enough to be looked at as one".repeat(100));
    expect(await checkOf("store")).toMatchObject({ status: "fail" });
    expect((await errorOf(place, ["status"], 1))[0]).toBe("OUTBOX_UNREADABLE");
    const config = join(place.directory, "config.json");
    writeFileSync(config, "{");
    expect(await checkOf("config")).toMatchObject({ status: "fail" });
    expect((await errorOf(place, ["status"], 1))[0]).toBe("MALFORMED_CONFIG");
    expect((await newPlace().run("doctor")).code).toBe(1);
  });
});
