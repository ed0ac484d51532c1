import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import type { ErrorCode } from "../../../src/errors.ts";
import { streamObjectName } from "../../../src/stream-ref.ts";
import { leafHash, merkleTree, toHex } from "../../../src/ves/index.ts";
import {
  commit,
  type Commitment,
  type CommitmentList,
  COMMITMENTS,
  expectStateRoot,
  leafMembers,
  newLog,
  seal,
  type Stream,
} from "./batches.ts";
import {
  accept,
  call,
  detailsOf,
  event,
  expectError,
  expectNothingStored,
  ingest,
  mint,
  newAgent,
  type Reply,
  streamQuery,
  url,
  type Wire,
} from "./harness.ts";

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00$/;
const ZEROS = "0".repeat(64);

function list(
  stream: Stream,
  query: Record<string, string | number> = {},
  key?: string,
): Promise<Reply<CommitmentList>> {
  return call("GET", url(COMMITMENTS, { ...streamQuery(stream), ...query }), key === undefined ? {} : { key });
}

/** Expects that nothing was sealed beyond `end`. */
async function expectSealed(stream: Stream, end: number): Promise<void> {
  const { body } = await call<Wire>("GET", url("/api/v1/ves/head", streamQuery(stream)));
  expect(body["sealed_sequence"]).toBe(end);
}

describe("sealing a range", () => {
  it("makes batches that are chained, and whose roots follow from the events", async () => {
    const { signer, log } = await newLog(9);
    let previous = ZEROS;
    for (const [start, end, depth] of [
      [1, 3, 2],
      [4, 4, 0],
      [5, 9, 3],
    ] as const) {
      const { text, body } = await commit(signer, start, end);
      const tree = merkleTree(
        log.slice(start - 1, end).map((wire, index) => leafHash(leafMembers(signer, wire, start + index))),
      );
      expect(body).toEqual({
        batch_id: expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/) as string,
        tenant_id: signer.tenantId,
        store_id: signer.storeId,
        ves_version: 1,
        tree_depth: depth,
        leaf_count: end - start + 1,
        padded_leaf_count: 2 ** depth,
        merkle_root: toHex(tree.root),
        prev_state_root: previous,
        new_state_root: body.new_state_root,
        sequence_start: start,
        sequence_end: end,
        committed_at: expect.stringMatching(TIME) as string,
        is_anchored: false,
      });
      expectStateRoot(body, signer);
      previous = body.new_state_root;
      expect((await commit(signer, start, end)).text).toBe(text);
      const head = await call<Wire>("GET", url("/api/v1/ves/head", streamQuery(signer)));
      expect(head.body).toMatchObject({
        head_sequence: 9,
        sealed_sequence: end,
        anchored_sequence: 0,
        state_root: body.new_state_root,
        latest_commitment: body,
        frozen: null,
      });
      // A commitment waits for Postgres.
      expect(head.body["mirrored_sequence"]).toBe(end);
    }
    const first = (await list(signer)).body.commitments.at(-1);
    expect((await commit(signer, 1, 3)).body).toEqual(first);
  });

  it("takes its members in snake_case too, and leaves unknown ones alone", async () => {
    const { signer } = await newLog(2);
    const body = { ...streamQuery(signer), sequence_start: 1, sequence_end: 2, note: "x" };
    expect((await call("POST", COMMITMENTS, { body })).body).toMatchObject({ sequence_start: 1, sequence_end: 2 });
  });

  it.each<[number, number, ErrorCode, string]>([
    [3, 2, "INVALID_FIELD_VALUE", "sequenceEnd 2 lies before sequenceStart 3: give the first number, then the last"],
    [9, 1, "INVALID_FIELD_VALUE", "sequenceEnd 1 lies before sequenceStart 9: give the first number, then the last"],
    [4, 6, "INVALID_FIELD_VALUE", "sequenceEnd 6 lies above the head, 5"],
    [6, 6, "INVALID_FIELD_VALUE", "sequenceEnd 6 lies above the head, 5"],
    [4, 2 ** 53 - 1, "INVALID_FIELD_VALUE", "sequenceEnd 9007199254740991 lies above the head, 5"],
    [1, 2, "INVARIANT_VIOLATION", "The batch that begins at 1 ends at 3, not at 2; the next one begins at 4"],
    [1, 5, "INVARIANT_VIOLATION", "The batch that begins at 1 ends at 3, not at 5; the next one begins at 4"],
    [2, 3, "INVARIANT_VIOLATION", "Batches leave no gaps and do not overlap: the next one begins at 4, not at 2"],
    [3, 5, "INVARIANT_VIOLATION", "Batches leave no gaps and do not overlap: the next one begins at 4, not at 3"],
    [5, 5, "INVARIANT_VIOLATION", "Batches leave no gaps and do not overlap: the next one begins at 4, not at 5"],
  ])("400: %i to %i after 1 to 3 of 5", async (start, end, code, message) => {
    const { signer } = await newLog(5);
    await seal(signer, 1, 3);
    expectError(await commit(signer, start, end), code, message);
    await expectSealed(signer, 3);
  });

  it.each<[unknown, unknown, string, string]>([
    [0, 2, "sequenceStart", "Too small: expected number to be >=1"],
    [1, 0, "sequenceEnd", "Too small: expected number to be >=1"],
    [-1, 2, "sequenceStart", "Too small: expected number to be >=1"],
    [1.5, 2, "sequenceStart", "Invalid input: expected int, received number"],
    ["1", 2, "sequenceStart", "Invalid input: expected number, received string"],
    [undefined, 2, "sequenceStart", "Invalid input: expected number, received undefined"],
    [1, null, "sequenceEnd", "Invalid input: expected number, received null"],
    [1, 1e16, "sequenceEnd", "Too big: expected int to be <=9007199254740991"],
  ])("422: %j to %j", async (start, end, path, message) => {
    const { signer } = await newLog(2);
    const reply = await commit(signer, start, end);
    expectError(reply, "UNPROCESSABLE", `${path}: ${message}`);
    expect(detailsOf(reply)).toEqual([{ path, message }]);
    await expectSealed(signer, 0);
  });

  it("422 without a stream, 400 and 415 for what is no JSON", async () => {
    expectError(
      await call("POST", COMMITMENTS, { body: { sequenceStart: 1, sequenceEnd: 1 } }),
      "UNPROCESSABLE",
      "tenantId: Invalid input: expected string, received undefined",
    );
    expectError(await call("POST", COMMITMENTS, { raw: "{" }), "MALFORMED_JSON", /^The body is not well-formed JSON/);
    expectError(
      await call("POST", COMMITMENTS, { raw: "{}", headers: { "content-type": "text/plain" } }),
      "UNSUPPORTED_MEDIA_TYPE",
      "The body must be JSON: send Content-Type: application/json",
    );
  });

  it("of a store that was never written to is beyond its head, and writes nothing", async () => {
    const signer = await newAgent();
    expectError(await commit(signer, 1, 1), "INVALID_FIELD_VALUE", "sequenceEnd 1 lies above the head, 0");
    await expectNothingStored(signer);
  });

  it("of another tenant's stream is refused, whatever the range", async () => {
    const { signer } = await newLog(2);
    const stranger = await newAgent();
    const key = await mint(stranger);
    for (const [start, end] of [
      [1, 2],
      [2, 1],
      [1, 9],
    ]) {
      const reply = await commit(signer, start, end, { key });
      expectError(reply, "INSUFFICIENT_PERMISSIONS", "Tenant access denied");
    }
    await expectSealed(signer, 0);
  });

  it("beyond what a batch may hold: says how far it may go", async () => {
    const signer = await newAgent();
    const payload = "x".repeat(1024 * 1024 - 2);
    for (let requests = 0; requests < 3; requests++) {
      await accept(signer, ...(await Promise.all(Array.from({ length: 6 }, () => event(signer, { payload })))));
    }
    const reply = await commit(signer, 1, 18);
    const message = /^The range is too large for one batch: from 1 it may go to \d+, not to 18$/;
    expectError(reply, "INVALID_FIELD_VALUE", message);
    const largest = Number(/it may go to (\d+)/.exec(reply.text)?.[1]);
    expect((await seal(signer, 1, largest)).sequence_end).toBe(largest);
  });

  it("of a frozen stream: 503 with the reason, while reads go on", async () => {
    const { signer, log } = await newLog(2);
    const reason = "Postgres holds another history";
    const stub = env.STREAMS.get(env.STREAMS.idFromName(streamObjectName(signer)));
    await runInDurableObject(stub, (_, state) => {
      const later = Date.now() + 3_600_000;
      state.storage.sql.exec("UPDATE mirror_state SET frozen_reason = ?, retry_at = ?", reason, later);
    });
    const message = `The stream is frozen for writing, reads go on: ${reason}`;
    for (const path of [COMMITMENTS, "/api/v1/commitments"]) {
      const reply = await commit(signer, 1, 2, { path });
      expectError(reply, "STREAM_FROZEN", message);
      expect(reply.headers.get("retry-after")).toBe("60");
    }
    expectError(await ingest(signer, [await event(signer)]), "STREAM_FROZEN", message);
    const head = await call("GET", url("/api/v1/ves/head", streamQuery(signer)));
    expect(head.body).toMatchObject({ head_sequence: log.length, sealed_sequence: 0, frozen: reason });
    expect((await list(signer)).body).toMatchObject({ commitments: [], count: 0 });
  });
});

describe("the list of a stream's batches", () => {
  it("is newest first, in pages of any size", async () => {
    const { signer } = await newLog(7);
    const sealed: Commitment[] = [];
    for (const [start, end] of [
      [1, 1],
      [2, 4],
      [5, 5],
      [6, 7],
    ] as const) {
      sealed.unshift(await seal(signer, start, end));
    }
    expect((await list(signer)).body).toEqual({ commitments: sealed, count: 4, has_more: false, next_before: null });
    expect((await list(signer, { limit: 5000 })).body.count).toBe(4);
    for (const limit of [1, 2, 3, 4]) {
      const walked: Commitment[] = [];
      let before: number | null = 2 ** 53 - 1;
      while (before !== null) {
        const { body }: Reply<CommitmentList> = await list(signer, { limit, before });
        expect(body.count).toBe(body.commitments.length);
        expect(body.has_more).toBe(body.next_before !== null);
        walked.push(...body.commitments);
        before = body.next_before;
      }
      expect(walked).toEqual(sealed);
    }
    expect((await list(signer, { before: 5 })).body.commitments).toEqual(sealed.slice(2));
    expect((await list(signer, { before: 1 })).body).toMatchObject({ count: 0, has_more: false, next_before: null });
  });

  it("by whether they are anchored", async () => {
    const { signer } = await newLog(1);
    const batch = await seal(signer, 1, 1);
    expect((await list(signer, { anchored: "false" })).body.commitments).toEqual([batch]);
    const none = { commitments: [], count: 0, has_more: false, next_before: null };
    expect((await list(signer, { anchored: "true" })).body).toEqual(none);
  });

  it("of an unknown store is empty", async () => {
    const stream = { tenantId: crypto.randomUUID(), storeId: crypto.randomUUID() };
    expect((await list(stream)).body).toEqual({ commitments: [], count: 0, has_more: false, next_before: null });
    await expectNothingStored(stream);
  });

  it.each([
    ["limit=0", "limit: Too small: expected number to be >=1"],
    ["limit=x", "limit: expected a whole number"],
    ["before=0", "before: Too small: expected number to be >=1"],
    ["before=-1", "before: expected a whole number"],
    ["anchored=yes", 'anchored: Invalid option: expected one of "true"|"false"'],
    ["anchored=", 'anchored: Invalid option: expected one of "true"|"false"'],
  ])("400: %s", async (query, message) => {
    const stream = streamQuery({ tenantId: crypto.randomUUID(), storeId: crypto.randomUUID() });
    for (const path of [COMMITMENTS, "/api/v1/commitments"]) {
      expectError(await call("GET", `${url(path, stream)}&${query}`), "INVALID_FIELD_VALUE", message);
    }
  });

  it("400 without a stream", async () => {
    const missing = "Invalid input: expected string, received undefined";
    expectError(await call("GET", COMMITMENTS), "MISSING_REQUIRED_FIELD", `tenant_id: ${missing}`);
  });
});
