import { describe, expect, it, vi } from "vitest";
import { commit, COMMITMENTS, newLog, seal, type Stream, stubOf } from "./batches.ts";
import {
  accept,
  type Call,
  call,
  event,
  expectError,
  mint,
  newAgent,
  type Reply,
  streamQuery,
  url,
  type Wire,
} from "./harness.ts";

const FAMILIES = [COMMITMENTS, "/api/v1/commitments"];
/** Nobody listens there. */
const AWAY = { POSTGRES: { connectionString: "postgres://nobody:nothing@127.0.0.1:9/nowhere" } };
const NONE = { POSTGRES: undefined };

const notKnown = (batchId: string): string =>
  `Batch ${batchId} is not known; one that was sealed a moment ago is found with its tenant_id and store_id`;

function get(
  batchId: string,
  given: Call & { path?: string; stream?: Stream; rest?: string } = {},
): Promise<Reply<Wire>> {
  const path = `${given.path ?? COMMITMENTS}/${batchId}${given.rest ?? ""}`;
  return call("GET", given.stream === undefined ? path : url(path, streamQuery(given.stream)), given);
}

/** Seals behind the back of the Worker, so that only Postgres knows whose batch it is. */
async function sealUnseen(stream: Stream, start: number, end: number): Promise<string> {
  const result = await stubOf(stream).commit({ start, end });
  if (result.kind !== "sealed") throw new Error(`not sealed: ${result.kind}`);
  await vi.waitFor(async () => expect(await stubOf(stream).state()).toMatchObject({ mirroredSequence: end }), 10_000);
  return result.batch.batchId;
}

describe("one batch by its id", () => {
  it("is the commitment with the names of its range and nothing of a chain", async () => {
    const { signer } = await newLog(3);
    const batch = await seal(signer, 1, 3);
    const detail = {
      ...batch,
      start_sequence: 1,
      end_sequence: 3,
      event_count: 3,
      chain_id: null,
      chain_tx_hash: null,
      chain_block_number: null,
      anchored_at: null,
    };
    expect((await get(batch.batch_id)).body).toEqual(detail);
    expect((await get(batch.batch_id, { stream: signer })).body).toEqual(detail);
    expect((await get(batch.batch_id.toUpperCase(), { stream: signer })).body).toEqual(detail);
  });

  it("is found through Postgres without its stream, by whoever may read it", async () => {
    const { signer } = await newLog(2);
    const own = await mint(signer, { readOnly: true });
    const first = await sealUnseen(signer, 1, 1);
    expect((await get(first, { key: own })).body).toMatchObject({ batch_id: first, sequence_end: 1 });
    expect((await get(first)).body).toMatchObject({ batch_id: first, sequence_end: 1 });
    const second = await sealUnseen(signer, 2, 2);
    const events = await get(second, { key: own, rest: "/events" });
    expect(events.body).toMatchObject({ batch_id: second, count: 1, next_sequence: null });
    // Known by now: Postgres is not needed again, and the permission is.
    expect((await get(second, { key: own, settings: AWAY })).body).toMatchObject({ batch_id: second });
    expect((await get(second, { key: own, settings: NONE })).body).toMatchObject({ batch_id: second });
  });

  it("404: unknown, of another tenant, and of a store that the key may not read, all alike", async () => {
    const { signer } = await newLog(2);
    const [seen, unseen] = [(await seal(signer, 1, 1)).batch_id, await sealUnseen(signer, 2, 2)];
    const stranger = await mint(await newAgent());
    const limited = await mint(signer, { storeIds: [crypto.randomUUID()] });
    for (const path of FAMILIES) {
      for (const rest of path === COMMITMENTS ? ["", "/events"] : [""]) {
        for (const key of [stranger, limited]) {
          for (const batchId of [seen, unseen, crypto.randomUUID()]) {
            const reply = await get(batchId, { key, path, rest });
            expectError(reply, "BATCH_NOT_FOUND", notKnown(batchId));
          }
        }
        const unknown = crypto.randomUUID();
        expectError(await get(unknown, { path, rest }), "BATCH_NOT_FOUND", notKnown(unknown));
      }
    }
    // It is there all the same.
    expect((await get(unseen)).status).toBe(200);
  });

  it("404 in a stream that does not hold it, 403 in one that the key may not read", async () => {
    const { signer } = await newLog(1);
    const { batch_id: batchId } = await seal(signer, 1, 1);
    const elsewhere = await newAgent(signer.tenantId);
    await accept(elsewhere, await event(elsewhere));
    const never = { ...signer, storeId: crypto.randomUUID() };
    const stranger = await mint(await newAgent());
    for (const path of FAMILIES) {
      for (const rest of path === COMMITMENTS ? ["", "/events"] : [""]) {
        for (const stream of [elsewhere, never]) {
          const reply = await get(batchId, { stream, path, rest });
          expectError(reply, "BATCH_NOT_FOUND", `Batch ${batchId} is not in this stream`);
        }
        const reply = await get(batchId, { stream: signer, key: stranger, path, rest });
        expectError(reply, "INSUFFICIENT_PERMISSIONS", "Tenant access denied");
      }
    }
  });

  it("503 while Postgres is away, 400 where there is none; with its stream it is found all the same", async () => {
    const { signer } = await newLog(1);
    const batchId = await sealUnseen(signer, 1, 1);
    const away = await get(batchId, { settings: AWAY });
    expectError(
      away,
      "SERVICE_UNAVAILABLE",
      "Postgres cannot be reached, and batches are looked up there: repeat the request, or name tenant_id and store_id",
    );
    expect(away.headers.get("retry-after")).toBe("1");
    expectError(
      await get(batchId, { settings: NONE }),
      "MISSING_REQUIRED_FIELD",
      "This deployment has no index of batches: name the batch's tenant_id and store_id",
    );
    for (const settings of [AWAY, NONE]) {
      expect((await get(batchId, { stream: signer, settings })).body).toMatchObject({ batch_id: batchId });
    }
  });

  it("is found at once in the isolate that sealed it, even before Postgres has it", async () => {
    const { signer } = await newLog(1);
    const { body } = await commit(signer, 1, 1);
    expect((await get(body.batch_id, { settings: AWAY })).body).toMatchObject({ batch_id: body.batch_id });
  });

  it.each(FAMILIES)("400 %s: half a stream, and ids that are none", async (path) => {
    const [batchId, id] = [crypto.randomUUID(), crypto.randomUUID()];
    const both = (missing: string, given: string): string =>
      `${missing}: expected beside ${given}: give both or neither`;
    for (const rest of path === COMMITMENTS ? ["", "/events"] : [""]) {
      const at = `${path}/${batchId}${rest}`;
      expectError(await call("GET", `${at}?tenant_id=${id}`), "MISSING_REQUIRED_FIELD", both("store_id", "tenant_id"));
      expectError(await call("GET", `${at}?store_id=${id}`), "MISSING_REQUIRED_FIELD", both("tenant_id", "store_id"));
      const bad = "INVALID_FIELD_VALUE";
      expectError(await call("GET", `${at}?store_id=${id}&tenant_id=x`), bad, "tenant_id: expected a UUID");
      expectError(await call("GET", `${path}/latest${rest}`), bad, "batch_id: expected a UUID");
    }
  });
});

describe("the events of a batch", () => {
  it("are its own, in pages of any size", async () => {
    const { signer, log } = await newLog(6);
    await seal(signer, 1, 2);
    const { batch_id: batchId } = await seal(signer, 3, 5);
    const path = `${COMMITMENTS}/${batchId}/events`;
    const page = (query: Record<string, number>): Promise<Reply<BatchEvents>> =>
      call("GET", url(path, { ...streamQuery(signer), ...query }));
    const ids = (body: BatchEvents): unknown[] => body.events.map(({ envelope }) => envelope["event_id"]);
    const expected = log.slice(2, 5).map((wire) => wire["event_id"]);

    const whole = (await page({})).body;
    expect(whole).toMatchObject({ batch_id: batchId, count: 3, next_sequence: null });
    expect(ids(whole)).toEqual(expected);
    expect((await page({ from: 0 })).body).toEqual(whole);
    expect((await page({ limit: 5000 })).body).toEqual(whole);
    const stored = whole.events.map(({ envelope: { source_agent, sequenced_at, ...members } }) => members);
    expect(stored).toEqual(log.slice(2, 5).map((wire, index) => ({ ...wire, sequence_number: 3 + index })));
    for (const limit of [1, 2, 3]) {
      const walked: unknown[] = [];
      let from: number | null = 3;
      while (from !== null) {
        const { body }: Reply<BatchEvents> = await page({ from, limit });
        walked.push(...ids(body));
        from = body.next_sequence;
      }
      expect(walked).toEqual(expected);
    }
    for (const from of [1, 2, 6, 7, 2 ** 53 - 1]) {
      const message = `from: ${from} is not in the batch, which holds 3 to 5`;
      expectError(await page({ from }), "INVALID_FIELD_VALUE", message);
    }
    expectError(await page({ limit: 0 }), "INVALID_FIELD_VALUE", "limit: Too small: expected number to be >=1");
    expectError(await page({ from: -1 }), "INVALID_FIELD_VALUE", "from: expected a whole number");
  });
});

interface BatchEvents {
  readonly batch_id: string;
  readonly events: readonly { readonly envelope: Wire }[];
  readonly count: number;
  readonly next_sequence: number | null;
}
