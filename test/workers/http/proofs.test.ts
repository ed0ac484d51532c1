import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { streamObjectName } from "../../../src/stream-ref.ts";
import { fromHex, leafHash, merkleTree, PAD_LEAF, toHex } from "../../../src/ves/index.ts";
import { expectProof, leafMembers, newLog, type Proof, seal, type Stream } from "./batches.ts";
import {
  accept,
  call,
  detailsOf,
  event,
  expectError,
  expectNothingStored,
  mint,
  newAgent,
  type Reply,
  streamQuery,
  textOf,
  url,
  type Wire,
} from "./harness.ts";

const PROOFS = "/api/v1/ves/proofs";
const INCLUSION = "/api/v1/ves/inclusion-proofs";
const FAMILIES = [PROOFS, "/api/v1/proofs"];

function proofOf(
  stream: Stream,
  sequenceNumber: number | string,
  query: Record<string, string> = {},
  path = PROOFS,
): Promise<Reply<Proof>> {
  return call("GET", url(`${path}/${sequenceNumber}`, { ...streamQuery(stream), ...query }));
}

function proofOfEvent(stream: Stream, eventId: string): Promise<Reply<Proof>> {
  return call("GET", url(`${INCLUSION}/${eventId}`, streamQuery(stream)));
}

describe("the proof of an event", () => {
  it.each([1, 2, 3, 5, 8])("holds for each event of a batch of %i, and for nothing else", async (size) => {
    const { signer, log } = await newLog(size + 2);
    const batches = [await seal(signer, 1, 1), await seal(signer, 2, size + 1)];
    const stranger = await event(signer);
    for (const [index, wire] of log.slice(0, size + 1).entries()) {
      const number = index + 1;
      const { body } = await proofOf(signer, number);
      expectProof(body, signer, wire, number, log[index + 1] ?? stranger);
      const batch = batches[number === 1 ? 0 : 1];
      const { batch_id, merkle_root, prev_state_root, new_state_root } = batch ?? {};
      expect(body).toMatchObject({ batch_id, merkle_root, prev_state_root, new_state_root });
      expect((await proofOf(signer, number, { batch_id: body.batch_id })).body).toEqual(body);
      expect((await proofOfEvent(signer, textOf(wire, "event_id"))).body).toEqual(body);
    }
  });

  it("400: a number that is none", async () => {
    const { signer } = await newLog(1);
    for (const path of FAMILIES) {
      for (const [number, message] of [
        ["0", "Too small: expected number to be >=1"],
        ["-1", "expected a whole number"],
        ["1.5", "expected a whole number"],
        ["first", "expected a whole number"],
        ["9007199254740992", "Too big: expected number to be <=9007199254740991"],
        ["99999999999999999", "expected a whole number"],
      ] as const) {
        const reply = await proofOf(signer, number, {}, path);
        expectError(reply, "INVALID_FIELD_VALUE", `sequence_number: ${message}`);
      }
      const missing = "tenant_id: Invalid input: expected string, received undefined";
      expectError(await call("GET", `${path}/1`), "MISSING_REQUIRED_FIELD", missing);
      const reply = await proofOf(signer, 1, { batch_id: "latest" }, path);
      expectError(reply, "INVALID_FIELD_VALUE", "batch_id: expected a UUID");
    }
    expectError(await proofOfEvent(signer, "first"), "INVALID_FIELD_VALUE", "event_id: expected a UUID");
  });

  it("404: beyond the head, an unknown event, and a store that was never written to", async () => {
    const { signer, log } = await newLog(2);
    await seal(signer, 1, 2);
    const never = { ...signer, storeId: crypto.randomUUID() };
    const beyond = (number: number): string => `No event of this stream has number ${number} yet`;
    for (const path of FAMILIES) {
      expectError(await proofOf(signer, 3, {}, path), "EVENT_NOT_FOUND", beyond(3));
      expectError(await proofOf(signer, 2 ** 53 - 1, {}, path), "EVENT_NOT_FOUND", beyond(2 ** 53 - 1));
      expectError(await proofOf(never, 1, {}, path), "EVENT_NOT_FOUND", beyond(1));
    }
    const known = textOf(log[0], "event_id");
    for (const [stream, id] of [
      [signer, crypto.randomUUID()],
      [never, known],
    ] as const) {
      expectError(await proofOfEvent(stream, id), "EVENT_NOT_FOUND", `Event ${id} is not in this stream`);
    }
    await expectNothingStored(never);
  });

  it("404 NOT_YET_SEALED, with the seconds until it is due", async () => {
    const { signer, log } = await newLog(2);
    await seal(signer, 1, 1);
    const id = textOf(log[1], "event_id");
    const message = "The event is in the log, but its batch is not sealed yet";
    for (const reply of [
      await proofOf(signer, 2),
      await proofOf(signer, 2, {}, FAMILIES[1]),
      await proofOfEvent(signer, id),
    ]) {
      expectError(reply, "NOT_YET_SEALED", message);
      expect(Number(reply.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
      expect(Number(reply.headers.get("retry-after"))).toBeLessThanOrEqual(5);
    }
    await seal(signer, 2, 2);
    expect((await proofOf(signer, 2)).status).toBe(200);
    expect((await proofOfEvent(signer, id)).status).toBe(200);
  });

  it("404 NOT_YET_SEALED while the stream is frozen, with a minute to wait", async () => {
    const { signer, log } = await newLog(1);
    await runInDurableObject(env.STREAMS.getByName(streamObjectName(signer)), (_, { storage }) =>
      storage.sql.exec("UPDATE mirror_state SET frozen_reason = 'x', retry_at = ?", Date.now() + 50_000),
    );
    const message =
      "The event is in the log, but its batch is not sealed yet: the stream is frozen, and seals nothing until that is resolved";
    for (const reply of [
      ...(await Promise.all(FAMILIES.map((path) => proofOf(signer, 1, {}, path)))),
      await proofOfEvent(signer, textOf(log[0], "event_id")),
    ]) {
      expectError(reply, "NOT_YET_SEALED", message);
      expect(reply.headers.get("retry-after")).toBe("60");
    }
  });

  it("comes by itself once the batch is sealed by its age", async () => {
    const { signer, log } = await newLog(3);
    let reply = await proofOf(signer, 2);
    for (let attempts = 0; reply.status !== 200 && attempts < 4; attempts++) {
      expect(reply.status).toBe(404);
      await scheduler.wait(Number(reply.headers.get("retry-after")) * 1_000);
      reply = await proofOf(signer, 2);
    }
    expectProof(reply.body, signer, log[1] ?? {}, 2, log[0] ?? {});
  }, 30_000);

  it.each(FAMILIES)("%s of a batch that does not hold it: 400, of one that is not there: 404", async (path) => {
    const { signer } = await newLog(4);
    const [first, second] = [await seal(signer, 1, 2), await seal(signer, 3, 3)];
    for (const [number, batch, range] of [
      [3, first, "1 to 2"],
      [1, second, "3 to 3"],
      [4, second, "3 to 3"],
      [9, second, "3 to 3"],
    ] as const) {
      expectError(
        await proofOf(signer, number, { batch_id: batch.batch_id }, path),
        "INVALID_FIELD_VALUE",
        `batch_id: batch ${batch.batch_id} holds ${range}, not ${number}; without batch_id the right one is found`,
      );
    }
    const other = await newLog(1, signer.tenantId);
    const { batch_id: foreign } = await seal(other.signer, 1, 1);
    for (const id of [foreign, crypto.randomUUID()]) {
      const reply = await proofOf(signer, 1, { batch_id: id }, path);
      expectError(reply, "BATCH_NOT_FOUND", `Batch ${id} is not in this stream`);
    }
  });
});

describe.each([
  ["/api/v1/ves/proofs/verify", "merkle_root"],
  ["/api/v1/proofs/verify", "events_root"],
])("POST %s", (path, rootName) => {
  type Claim = Wire & { leaf_hash: string; proof_path: string[] };
  const check = (body: Wire, key?: string): Promise<Reply<Wire>> =>
    call("POST", path, { body, ...(key === undefined ? {} : { key }) });

  /** A sound claim about leaf 1 of 3, made without the server. */
  const soundClaim = async (): Promise<Claim> => {
    const signer = await newAgent();
    const leaves = await Promise.all(
      [1, 2, 3].map(async (number) => leafHash(leafMembers(signer, await event(signer), number))),
    );
    const { root, levels } = merkleTree(leaves);
    const [first, second] = leaves.map(toHex);
    return {
      leaf_hash: second ?? "",
      [rootName]: toHex(root),
      proof_path: [first ?? "", toHex(levels[1]?.[1] ?? root)],
      leaf_index: 1,
    };
  };

  it("answers for a proof of this server, and repeats the input's text", async () => {
    const { signer } = await newLog(5);
    await seal(signer, 1, 5);
    for (const number of [1, 4, 5]) {
      const { body: proof } = await proofOf(signer, number);
      const { leaf_hash, merkle_root, proof_path, leaf_index, leaf_count } = proof;
      const claim = { leaf_hash, [rootName]: merkle_root, proof_path: [...proof_path], leaf_index };
      const answer = { leaf_hash, [rootName]: merkle_root };
      expect((await check(claim)).body).toEqual({ valid: true, ...answer });
      expect((await check({ ...claim, leaf_count })).body).toEqual({ valid: true, ...answer });
      expect((await check({ ...claim, leaf_index: leaf_index ^ 1 })).body).toEqual({ valid: false, ...answer });
    }
  });

  it("takes hex in any case, with or without 0x, in either casing of names, beside unknown members", async () => {
    const claim = await soundClaim();
    const loud = (hash: unknown): string => `0x${String(hash).toUpperCase()}`;
    const shouted = {
      leaf_hash: loud(claim.leaf_hash),
      [rootName]: loud(claim[rootName]),
      proof_path: claim.proof_path.map(loud),
      leaf_index: 1,
      leaf_count: null,
      directions: [false, true],
      batch_id: 7,
    };
    const answer = { valid: true, leaf_hash: shouted.leaf_hash, [rootName]: shouted[rootName] };
    expect((await check(shouted)).body).toEqual(answer);
    const camelRoot = rootName === "merkle_root" ? "merkleRoot" : "eventsRoot";
    const { leaf_hash: leafText, proof_path: proofPath } = shouted;
    const camel = { leafHash: leafText, [camelRoot]: shouted[rootName], proofPath, leafIndex: 1, leafCount: 3 };
    expect((await check(camel)).body).toEqual(answer);
  });

  it("says no to whatever is changed", async () => {
    const claim = await soundClaim();
    const other = "ab".repeat(32);
    const changes: Wire[] = [
      { leaf_hash: other },
      { [rootName]: other },
      { proof_path: [other, ...claim.proof_path.slice(1)] },
      { proof_path: [...claim.proof_path].toReversed() },
      { proof_path: claim.proof_path.slice(1) },
      { proof_path: [] },
      { proof_path: [...claim.proof_path, other] },
      { leaf_index: 0 },
      { leaf_index: 3 },
      { leaf_count: 0 },
      { leaf_count: 1 },
      { leaf_count: 2 },
      { leaf_count: 5 },
    ];
    for (const change of changes) {
      expect((await check({ ...claim, ...change })).body).toMatchObject({ valid: false });
    }
  });

  it("with leaf_count, what is no event's leaf does not pass", async () => {
    const claim = await soundClaim();
    const third = await soundClaim();
    const tree = merkleTree([third.leaf_hash, third.leaf_hash, third.leaf_hash].map((hex) => fromHex(hex, 32)));
    const node = (level: number, at: number): string => toHex(tree.levels[level]?.[at] ?? tree.root);
    const root = { [rootName]: toHex(tree.root) };
    const loose = [
      // Padding.
      { leaf_hash: toHex(PAD_LEAF), proof_path: [node(0, 2), node(1, 0)], leaf_index: 3, ...root },
      // An inner node with a shortened path.
      { leaf_hash: node(1, 0), proof_path: [node(1, 1)], leaf_index: 0, ...root },
      // The root with none.
      { leaf_hash: node(2, 0), proof_path: [], leaf_index: 0, ...root },
      // High bits that the path does not reach.
      { ...claim, leaf_index: 5 },
    ];
    for (const accepted of loose) {
      expect((await check(accepted)).body).toMatchObject({ valid: true });
      expect((await check({ ...accepted, leaf_count: 3 })).body).toMatchObject({ valid: false });
    }
    expect((await check({ ...claim, leaf_count: 3 })).body).toMatchObject({ valid: true });
  });

  const hex = "00".repeat(32);
  const digits = (count: number): string => `expected 64 hex digits, got ${count}`;
  it.each<[string, string, string]>([
    ["a byte too short", hex.slice(2), digits(62)],
    ["a byte too long", `${hex}00`, digits(66)],
    ["empty", "", digits(0)],
    ["0x alone", "0x", digits(0)],
    ["an odd number of digits", hex.slice(1), "hex needs an even number of digits, got 63"],
    ["no hex", `${hex.slice(2)}zz`, "not hexadecimal"],
    ["0X", `0X${hex}`, digits(66)],
    ["0x twice", `0x0x${hex}`, digits(66)],
    ["base64", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", digits(44)],
    ["white space", ` ${hex.slice(1)}`, "not hexadecimal"],
  ])("400: a hash that is %s", async (_, bad, message) => {
    const sound = { leaf_hash: hex, [rootName]: hex, proof_path: [hex, hex, hex, hex], leaf_index: 0 };
    const changes: [string, Wire][] = [
      ["leaf_hash", { leaf_hash: bad }],
      [rootName, { [rootName]: bad }],
      ["proof_path.0", { proof_path: [bad, hex] }],
      ["proof_path.3", { proof_path: [hex, hex, hex, bad] }],
    ];
    for (const [member, change] of changes) {
      const reply = await check({ ...sound, ...change });
      expectError(reply, "INVALID_FIELD_VALUE", `${member}: ${message}`);
      expect(detailsOf(reply)).toEqual([{ path: member, message }]);
    }
  });

  it("400: a path of more than 64 hashes; 64 are looked at", async () => {
    const claim = (length: number): Wire => ({
      leaf_hash: hex,
      [rootName]: hex,
      proof_path: Array.from({ length }, () => hex),
      leaf_index: 0,
    });
    expect((await check(claim(64))).body).toMatchObject({ valid: false });
    const reply = await check(claim(65));
    expectError(reply, "INVALID_FIELD_VALUE", "proof_path: expected at most 64 hashes, got 65");
  });

  it.each<[Wire, string, string]>([
    [{ leaf_hash: 5 }, "leafHash", "Invalid input: expected string, received number"],
    [{ leaf_hash: undefined }, "leafHash", "Invalid input: expected string, received undefined"],
    [{ proof_path: hex }, "proofPath", "Invalid input: expected array, received string"],
    [{ proof_path: undefined }, "proofPath", "Invalid input: expected array, received undefined"],
    [{ proof_path: [hex, 1] }, "proofPath.1", "Invalid input: expected string, received number"],
    [{ proof_path: [null] }, "proofPath.0", "Invalid input: expected string, received null"],
    [{ leaf_index: -1 }, "leafIndex", "Too small: expected number to be >=0"],
    [{ leaf_index: 0.5 }, "leafIndex", "Invalid input: expected int, received number"],
    [{ leaf_index: "0" }, "leafIndex", "Invalid input: expected number, received string"],
    [{ leaf_index: undefined }, "leafIndex", "Invalid input: expected number, received undefined"],
    [{ leaf_index: 1e16 }, "leafIndex", "Too big: expected int to be <=9007199254740991"],
    [{ leaf_count: -1 }, "leafCount", "Too small: expected number to be >=0"],
    [{ leaf_count: "3" }, "leafCount", "Invalid input: expected number, received string"],
  ])("422: %j", async (change, member, message) => {
    const sound = { leaf_hash: hex, [rootName]: hex, proof_path: [hex], leaf_index: 0 };
    const reply = await check({ ...sound, ...change });
    expectError(reply, "UNPROCESSABLE", `${member}: ${message}`);
    expect(detailsOf(reply)).toEqual([{ path: member, message }]);
  });

  it("422: a root that is missing or no text, and a body that is no object", async () => {
    const sound = { leaf_hash: hex, proof_path: [hex], leaf_index: 0 };
    const member = rootName === "merkle_root" ? "merkleRoot" : "eventsRoot";
    expectError(await check(sound), "UNPROCESSABLE", new RegExp(`^${member}: Invalid input: expected string`));
    const wrong = "Invalid input: expected string, received number";
    expectError(await check({ ...sound, [rootName]: 5 }), "UNPROCESSABLE", `${member}: ${wrong}`);
    const array = "Invalid input: expected object, received array";
    expectError(await call("POST", path, { body: [] }), "UNPROCESSABLE", array);
    expectError(await call("POST", path, { raw: "{" }), "MALFORMED_JSON", /^The body is not well-formed JSON/);
  });

  it("asks whose it is of nobody: a credential of any tenant is served", async () => {
    const claim = await soundClaim();
    for (const change of [{}, { readOnly: true }, { admin: true }, { storeIds: [crypto.randomUUID()] }]) {
      const key = await mint(await newAgent(), change);
      expect((await check(claim, key)).body).toMatchObject({ valid: true });
    }
  });
});

it("an older client's own spelling, merkle_root, is read as events_root where that is not given", async () => {
  const claim = { leaf_hash: "AB".repeat(32), merkle_root: "ab".repeat(32), proof_path: [], leaf_index: 0 };
  const { body } = await call("POST", "/api/v1/proofs/verify", { body: claim });
  expect(body).toEqual({ valid: true, leaf_hash: claim.leaf_hash, events_root: claim.merkle_root });
  const both = { ...claim, events_root: "cd".repeat(32) };
  const other = await call("POST", "/api/v1/proofs/verify", { body: both });
  expect(other.body).toEqual({ valid: false, leaf_hash: claim.leaf_hash, events_root: both.events_root });
  const bad = await call("POST", "/api/v1/proofs/verify", { body: { ...claim, merkle_root: "ab" } });
  expectError(bad, "INVALID_FIELD_VALUE", "merkle_root: expected 64 hex digits, got 2");
});

it("a proof of another tenant's event is refused, sealed or not", async () => {
  const { signer, log } = await newLog(2);
  await seal(signer, 1, 1);
  const key = await mint(await newAgent());
  for (const number of [1, 2, 9]) {
    for (const path of FAMILIES) {
      const reply = await call("GET", url(`${path}/${number}`, streamQuery(signer)), { key });
      expectError(reply, "INSUFFICIENT_PERMISSIONS", "Tenant access denied");
    }
  }
  const reply = await call("GET", url(`${INCLUSION}/${textOf(log[0], "event_id")}`, streamQuery(signer)), { key });
  expectError(reply, "INSUFFICIENT_PERMISSIONS", "Tenant access denied");
});

it("proofs stay the same while the log grows", async () => {
  const { signer, log } = await newLog(3);
  await seal(signer, 1, 3);
  const before = (await proofOf(signer, 2)).body;
  await accept(signer, await event(signer));
  await seal(signer, 4, 4);
  const after = (await proofOf(signer, 2, { batch_id: before.batch_id })).body;
  expect(after).toEqual(before);
  expectProof(after, signer, log[1] ?? {}, 2, log[2] ?? {});
});
