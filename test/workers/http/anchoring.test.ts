import { describe, expect, it } from "vitest";
import { commit, COMMITMENTS, newLog, seal } from "./batches.ts";
import {
  accept,
  ADMIN,
  ANCHOR_AWAY,
  type Call,
  call,
  detailsOf,
  event,
  expectError,
  mint,
  newAgent,
  type Reply,
  streamQuery,
  textOf,
  url,
  type Wire,
} from "./harness.ts";

const ANCHOR = "/api/v1/ves/anchor";
const LEGACY = "/api/v1/anchor";
const COMMIT_AND_ANCHOR = `${COMMITMENTS}/anchor`;
const STATUS = `${LEGACY}/status`;
const NOT_BOUND = "This deployment has no binding ANCHOR: nothing is anchored";
const NOT_REACHED = "The anchoring Worker cannot be reached";

type Ask = (given?: Call) => Promise<Reply>;
type StreamNames = Record<string, string>;

/** Every way to have a batch anchored: in both families, and by the commitment's path. */
function anchorings(batchId: string, stream: StreamNames = {}): readonly Ask[] {
  const byBody = [ANCHOR, LEGACY].map(
    (path): Ask =>
      (given) =>
        call("POST", path, { body: { batch_id: batchId, ...stream }, ...given }),
  );
  return [...byBody, (given) => call("POST", url(`${COMMITMENTS}/${batchId}/anchor`, stream), given)];
}

/** Both ways to ask the contract for a batch. */
function verifications(batchId: string, stream: StreamNames = {}): readonly Ask[] {
  return [ANCHOR, LEGACY].map((path) => (given) => call("GET", url(`${path}/${batchId}/verify`, stream), given));
}

const notKnown = (batchId: string): string =>
  `Batch ${batchId} is not known; one that was sealed a moment ago is found with its tenant_id and store_id`;

describe("where nothing is anchored", () => {
  it("every credential is told so, whatever it may do and whatever it asks about", async () => {
    const { signer } = await newLog(1);
    const { batch_id: batchId } = await seal(signer, 1, 1);
    const stranger = await newAgent();
    const { tenantId, storeId } = signer;
    const keys = [
      ADMIN,
      await mint(signer, { admin: true }),
      await mint(signer),
      await mint(signer, { readOnly: true }),
      await mint(stranger),
    ];
    for (const key of keys) {
      for (const id of [batchId, crypto.randomUUID()]) {
        for (const run of [...anchorings(id), ...verifications(id)])
          expectError(await run({ key }), "ANCHOR_NOT_CONFIGURED", NOT_BOUND);
      }
      const reply = await call("POST", COMMIT_AND_ANCHOR, { key, body: { tenantId, storeId } });
      expectError(reply, "ANCHOR_NOT_CONFIGURED", NOT_BOUND);
    }
  });

  it("but only with a credential, and only for a sound request", async () => {
    const id = crypto.randomUUID();
    for (const run of [...anchorings(id), ...verifications(id)]) {
      expectError(await run({ key: null }), "AUTH_REQUIRED", /^Authentication required/);
    }
    for (const run of anchorings("x").slice(0, 2)) {
      expectError(await run(), "UNPROCESSABLE", "batchId: expected a UUID");
    }
    expectError(await call("POST", `${COMMITMENTS}/x/anchor`), "INVALID_FIELD_VALUE", "batch_id: expected a UUID");
  });
});

describe("who may have a batch anchored", () => {
  const given = (key: string): Call => ({ key, settings: ANCHOR_AWAY });

  it("administrators of its stream; whoever may not learns nothing of the batch", async () => {
    const { signer } = await newLog(2);
    const { batch_id: batchId } = await seal(signer, 1, 1);
    const stream = streamQuery(signer);
    const elsewhere = await newAgent();
    const scoped = (storeId: string): Promise<string> => mint(signer, { admin: true, storeIds: [storeId] });
    const [reader, writer] = [await mint(signer, { readOnly: true }), await mint(signer)];
    const [foreign, otherStore] = [await mint(elsewhere, { admin: true }), await scoped(crypto.randomUUID())];
    const admins = [ADMIN, await mint(signer, { admin: true }), await scoped(signer.storeId)];
    const unknown = crypto.randomUUID();

    for (const run of [...anchorings(batchId), ...anchorings(unknown), ...anchorings(batchId, stream)]) {
      for (const key of [reader, writer]) {
        expectError(await run(given(key)), "INSUFFICIENT_PERMISSIONS", "Admin permission required");
      }
    }
    for (const key of [foreign, otherStore]) {
      for (const id of [batchId, unknown]) {
        for (const run of anchorings(id)) expectError(await run(given(key)), "BATCH_NOT_FOUND", notKnown(id));
        const message = key === foreign ? "Tenant access denied" : "Store access denied";
        for (const run of anchorings(id, stream)) {
          expectError(await run(given(key)), "INSUFFICIENT_PERMISSIONS", message);
        }
      }
    }
    for (const key of admins) {
      for (const run of [...anchorings(batchId), ...anchorings(batchId, stream)]) {
        const reply = await run(given(key));
        expectError(reply, "SERVICE_UNAVAILABLE", NOT_REACHED);
        expect(reply.headers.get("retry-after")).toBe("1");
        expect(detailsOf(reply)).toEqual({ batch_id: batchId });
      }
      for (const run of anchorings(unknown)) expectError(await run(given(key)), "BATCH_NOT_FOUND", notKnown(unknown));
      for (const run of anchorings(unknown, stream)) {
        expectError(await run(given(key)), "BATCH_NOT_FOUND", `Batch ${unknown} is not in this stream`);
      }
    }
  });

  it("and whoever may read it may ask the contract for it", async () => {
    const { signer } = await newLog(1);
    const { batch_id: batchId } = await seal(signer, 1, 1);
    const stream = streamQuery(signer);
    const foreign = await mint(await newAgent());
    for (const key of [ADMIN, await mint(signer, { readOnly: true }), await mint(signer)]) {
      for (const run of [...verifications(batchId), ...verifications(batchId, stream)]) {
        expectError(await run(given(key)), "SERVICE_UNAVAILABLE", NOT_REACHED);
      }
    }
    for (const id of [batchId, crypto.randomUUID()]) {
      for (const run of verifications(id)) expectError(await run(given(foreign)), "BATCH_NOT_FOUND", notKnown(id));
      for (const run of verifications(id, stream)) {
        expectError(await run(given(foreign)), "INSUFFICIENT_PERMISSIONS", "Tenant access denied");
      }
    }
  });

  it.each(["tenant_id", "store_id", "tenantId", "storeId"])("422: half a stream, %s", async (member) => {
    for (const path of [ANCHOR, LEGACY]) {
      const body = { batchId: crypto.randomUUID(), [member]: crypto.randomUUID() };
      expectError(await call("POST", path, { body }), "UNPROCESSABLE", /: expected beside \w+: give both or neither$/);
    }
  });

  it("the older family names its successor", async () => {
    const id = crypto.randomUUID();
    const [, legacy] = anchorings(id);
    const reply = await legacy?.();
    expect(reply?.headers.get("deprecation")).toBe("true");
    expect(reply?.headers.get("link")).toBe(`<${ANCHOR}>; rel="successor-version"`);
    const verified = await verifications(id)[1]?.();
    expect(verified?.headers.get("link")).toBe(`<${ANCHOR}/${id}/verify>; rel="successor-version"`);
  });
});

describe("seal and anchor", () => {
  /** Sealing succeeds, and the error of what comes after names the batch. */
  async function sealed(body: Wire): Promise<Wire> {
    const reply = await call("POST", COMMIT_AND_ANCHOR, { body, settings: ANCHOR_AWAY });
    expectError(reply, "SERVICE_UNAVAILABLE", NOT_REACHED);
    const { batch_id: batchId } = detailsOf(reply) as { batch_id: string };
    return (await call<Wire>("GET", `${COMMITMENTS}/${batchId}`)).body;
  }

  it("seals what comes next, at most so many events, and then says that there is nothing", async () => {
    const { signer } = await newLog(7);
    const stream = { tenant_id: signer.tenantId, store_id: signer.storeId };
    await seal(signer, 1, 1);
    expect(await sealed({ ...stream, max_events: 3 })).toMatchObject({ sequence_start: 2, sequence_end: 4 });
    expect(await sealed({ ...stream, maxEvents: 1 })).toMatchObject({ sequence_start: 5, sequence_end: 5 });
    const last = await sealed(stream);
    expect(last).toMatchObject({ sequence_start: 6, sequence_end: 7 });
    const reply = await call("POST", COMMIT_AND_ANCHOR, { body: stream, settings: ANCHOR_AWAY });
    const told = `the last batch is ${textOf(last, "batch_id")}, which POST /api/v1/ves/anchor anchors`;
    expectError(reply, "INVALID_FIELD_VALUE", `All events up to the head, 7, are sealed; ${told}`);
  });

  it("seals a given range, and the same again is the same batch", async () => {
    const { signer } = await newLog(4);
    const range = { ...streamQuery(signer), sequence_start: 1, sequence_end: 3 };
    const batch = await sealed(range);
    expect(batch).toMatchObject({ sequence_start: 1, sequence_end: 3 });
    expect(await sealed(range)).toEqual(batch);
    const gap = { body: { ...range, sequence_start: 2 }, settings: ANCHOR_AWAY };
    expectError(
      await call("POST", COMMIT_AND_ANCHOR, gap),
      "INVARIANT_VIOLATION",
      /the next one begins at 4, not at 2$/,
    );
    expect((await commit(signer, 1, 3)).body.batch_id).toBe(batch["batch_id"]);
  });

  it("seals as much as one batch may hold of payloads", async () => {
    const signer = await newAgent();
    const large = (): Promise<Wire> => event(signer, { payload: { text: "x".repeat(1_000_000) } });
    for (let i = 0; i < 5; i++) await accept(signer, await large());
    const batch = await sealed(streamQuery(signer));
    expect(batch).toMatchObject({ sequence_start: 1, sequence_end: 4 });
  });

  it("refuses half a range, an empty stream and wrong numbers", async () => {
    const { signer } = await newLog(2);
    const stream = streamQuery(signer);
    const post = (body: Wire): Promise<Reply> => call("POST", COMMIT_AND_ANCHOR, { body, settings: ANCHOR_AWAY });
    const half = (missing: string, given: string): string =>
      `${missing}: expected beside ${given}: give both or neither`;
    const bad = "INVALID_FIELD_VALUE";
    expectError(await post({ ...stream, sequence_start: 1 }), bad, half("sequenceEnd", "sequenceStart"));
    expectError(await post({ ...stream, sequenceEnd: 2 }), bad, half("sequenceStart", "sequenceEnd"));
    expectError(
      await post({ ...stream, sequence_start: 1, sequence_end: null }),
      bad,
      half("sequenceEnd", "sequenceStart"),
    );
    const never = streamQuery({ ...signer, storeId: crypto.randomUUID() });
    expectError(await post(never), bad, "The stream has no events to seal");
    expectError(
      await post({ ...stream, sequence_start: 1, sequence_end: 3 }),
      bad,
      "sequenceEnd 3 lies above the head, 2",
    );
    for (const maxEvents of [0, 4097, 1.5, "1"]) {
      expectError(await post({ ...stream, maxEvents }), "UNPROCESSABLE", /^maxEvents: /);
    }
    expectError(await post({ tenantId: signer.tenantId }), "UNPROCESSABLE", /^storeId: /);
    // Nothing was sealed.
    expect((await call("GET", url(COMMITMENTS, stream))).body).toMatchObject({ count: 0 });
  });

  it("is for administrators, and seals nothing for others", async () => {
    const { signer } = await newLog(1);
    const body = streamQuery(signer);
    const post = (key: string): Promise<Reply> => call("POST", COMMIT_AND_ANCHOR, { key, body, settings: ANCHOR_AWAY });
    for (const key of [await mint(signer), await mint(signer, { readOnly: true })]) {
      expectError(await post(key), "INSUFFICIENT_PERMISSIONS", "Admin permission required");
    }
    const foreign = await mint(await newAgent(), { admin: true });
    expectError(await post(foreign), "INSUFFICIENT_PERMISSIONS", "Tenant access denied");
    expect((await call("GET", url(COMMITMENTS, body))).body).toMatchObject({ count: 0 });
    expectError(await call("GET", COMMIT_AND_ANCHOR), "METHOD_NOT_ALLOWED", "GET is not served here, only POST");
  });
});

describe("how anchoring goes", () => {
  const OFF = {
    anchor_enabled: false,
    message: NOT_BOUND,
    chain_id: null,
    contract_address: null,
    sequencer_address: null,
    confirmations: null,
  };
  const status = (key: string, settings: Call["settings"] = {}): Promise<Reply<Wire>> =>
    call("GET", STATUS, { key, settings });
  const unasked = { last_run_at: null, last_success_at: null };

  it("is told to administrators, and the rest to everybody", async () => {
    const { signer } = await newLog(3);
    const admin = await mint(signer, { admin: true });
    for (const key of [await mint(signer), await mint(signer, { readOnly: true })]) {
      expect((await status(key)).body).toEqual(OFF);
    }
    const counts = async (): Promise<unknown> => {
      const { last_run_at, last_success_at, ...rest } = (await status(admin)).body;
      return rest;
    };
    expect(await counts()).toEqual({ ...OFF, pending: 0, submitted: 0, anchored: 0, conflicts: 0 });
    const first = await seal(signer, 1, 1);
    await seal(signer, 2, 2);
    expect(await counts()).toEqual({ ...OFF, pending: 2, submitted: 0, anchored: 0, conflicts: 0 });
    const body = { chain_tx_hash: "cd".repeat(32), chain_id: 1 };
    expect((await call("POST", `/v1/commitments/${first.batch_id}/anchored`, { body })).status).toBe(200);
    expect(await counts()).toEqual({ ...OFF, pending: 1, submitted: 0, anchored: 1, conflicts: 0 });
    const all = (await status(ADMIN)).body;
    expect(Object.keys(all)).toContain("last_error");
    expect(all["pending"]).toBeGreaterThanOrEqual(1);
    expect((await status(admin)).body).not.toHaveProperty("last_error");
  });

  it("has no numbers without Postgres", async () => {
    const admin = await mint(await newAgent(), { admin: true });
    const none = { pending: null, submitted: null, anchored: null, conflicts: null };
    const away = { connectionString: "postgres://nobody:nothing@127.0.0.1:9/nowhere" };
    for (const POSTGRES of [undefined, away]) {
      expect((await status(admin, { POSTGRES })).body).toEqual({ ...OFF, ...unasked, ...none });
      expect((await status(ADMIN, { POSTGRES })).body).toEqual({ ...OFF, ...unasked, ...none, last_error: null });
    }
  });

  it("503 while the anchoring Worker cannot be asked", async () => {
    expectError(await status(ADMIN, ANCHOR_AWAY), "SERVICE_UNAVAILABLE", NOT_REACHED);
  });
});
