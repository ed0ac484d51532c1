import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import type { Signer } from "../../../scripts/lib/signer.ts";
import { apiKeyHash } from "../../../src/access/api-key.ts";
import { immutableUrl } from "../../../src/http/immutable.ts";
import { streamObjectName } from "../../../src/stream-ref.ts";
import { COMMITMENTS, newLog, type Proof, seal } from "./batches.ts";
import {
  accept,
  type Call,
  call as callDefault,
  event,
  expectError,
  mint,
  newAgent,
  type Reply,
  streamQuery,
  textOf,
  url,
} from "./harness.ts";

/** A deployment whose streams cannot be reached: what it answers all the same comes from the cache. */
const WITHOUT_STREAMS = {
  STREAMS: {
    idFromName: () => {
      throw Object.assign(new Error("unreachable"), { retryable: true });
    },
  },
};

/** To a deployment that encrypts nothing at rest: only there events are kept at the edge. */
function call<Body>(method: string, path: string, given: Call = {}): Promise<Reply<Body>> {
  return callDefault(method, path, { ...given, settings: { PAYLOAD_ENCRYPTION_MODE: "disabled", ...given.settings } });
}

interface Sealed {
  readonly signer: Signer;
  readonly batchId: string;
  /** Paths with their queries, and the keys that their answers are kept under. */
  readonly answers: readonly { readonly path: string; readonly key: readonly (string | number)[] }[];
}

async function sealedLog(): Promise<Sealed> {
  const { signer, log } = await newLog(3);
  const { batch_id: batchId } = await seal(signer, 1, 2);
  const stream = streamQuery(signer);
  const eventId = textOf(log[0], "event_id");
  const place = [signer.tenantId, signer.storeId];
  const answers = [
    { path: url("/api/v1/ves/proofs/1", stream), key: [...place, "proofs", 1, "any"] },
    { path: url("/api/v1/ves/proofs/2", { ...stream, batch_id: batchId }), key: [...place, "proofs", 2, batchId] },
    { path: url(`/api/v1/ves/inclusion-proofs/${eventId}`, stream), key: [...place, "inclusion-proofs", eventId] },
    { path: url(`${COMMITMENTS}/${batchId}/events`, stream), key: [...place, "batch-events", batchId, 0, 100] },
    {
      path: url(`${COMMITMENTS}/${batchId}/events`, { ...stream, from: 2, limit: 1 }),
      key: [...place, "batch-events", batchId, 2, 1],
    },
    { path: `${COMMITMENTS}/${batchId}/events?limit=7`, key: [...place, "batch-events", batchId, 0, 7] },
  ];
  return { signer, batchId, answers };
}

/** Reads, and waits until the answer is kept. */
async function readKept(path: string, key: readonly (string | number)[], given: Call = {}): Promise<Reply> {
  const reply = await call("GET", path, given);
  expect(reply.status).toBe(200);
  await vi.waitFor(async () => {
    const kept = await caches.default.match(immutableUrl(key));
    expect(await kept?.text()).toBe(reply.text);
  });
  return reply;
}

describe("an answer that never changes", () => {
  it("is kept for the next reader, who does not need the stream's object", async () => {
    const { answers } = await sealedLog();
    for (const { path, key } of answers) {
      expect(await caches.default.match(immutableUrl(key))).toBeUndefined();
      const unreachable = await call("GET", path, { settings: WITHOUT_STREAMS });
      expectError(unreachable, "SERVICE_UNAVAILABLE", /could not be reached/);
      const first = await readKept(path, key);
      expect(first.headers.get("cache-control")).toBe("private, max-age=31536000, immutable");
      expect(first.headers.get("vary")).toBe("authorization, x-api-key");
      expect(first.headers.get("etag")).toMatch(/^"[0-9a-f]{64}"$/);
      for (const settings of [WITHOUT_STREAMS, {}]) {
        const again = await call("GET", path, { settings });
        expect([again.status, again.text]).toEqual([200, first.text]);
        for (const name of ["etag", "vary", "cache-control", "content-type"]) {
          expect(again.headers.get(name)).toBe(first.headers.get(name));
        }
      }
    }
  });

  it("is kept only once its batch is mirrored: before that it could be lost, and its numbers given again", async () => {
    const { signer, answers } = await sealedLog();
    const stub = env.STREAMS.getByName(streamObjectName(signer));
    const note = (mirroredSequence: number): Promise<void> =>
      runInDurableObject(stub, (_, { storage }) => {
        storage.sql.exec("UPDATE mirror_state SET mirrored_sequence = ?", mirroredSequence);
      });
    await note(0);
    for (const { path, key } of answers) {
      const reply = await call("GET", path);
      expect([reply.status, reply.headers.get("cache-control"), reply.headers.get("etag")]).toEqual([
        200,
        "no-store",
        null,
      ]);
      expect(await caches.default.match(immutableUrl(key))).toBeUndefined();
    }
    await note(2);
    for (const { path, key } of answers) await readKept(path, key);
  });

  it("is kept under a name that nobody else can ask for, and without a credential", async () => {
    const { signer, answers } = await sealedLog();
    const admin = await mint(signer, { admin: true });
    for (const { path, key } of answers) {
      await readKept(path, key, { key: admin });
      const name = immutableUrl(key);
      expect(new URL(name).host).toBe("immutable.invalid");
      expect(name).not.toContain(admin);
      const kept = await caches.default.match(name);
      expect(kept?.headers.get("cache-control")).toBe("public, max-age=31536000");
    }
  });

  it("is not taken from there, if it has payloads, once payloads are encrypted at rest", async () => {
    const { answers } = await sealedLog();
    for (const { path, key } of answers) {
      await readKept(path, key);
      for (const mode of ["optional", "required"]) {
        const settings = { ...WITHOUT_STREAMS, PAYLOAD_ENCRYPTION_MODE: mode };
        const reply = await call("GET", path, { settings });
        if (!path.includes("/events")) expect(reply.status).toBe(200);
        else expectError(reply, "SERVICE_UNAVAILABLE", /could not be reached/);
      }
    }
  });

  it("goes to nobody who may not read it, kept or not, with its tag or without", async () => {
    const { signer, answers } = await sealedLog();
    const stranger = await mint(await newAgent(), { admin: true });
    const limited = await mint(signer, { storeIds: [crypto.randomUUID()] });
    for (const { path, key } of answers) {
      const { headers } = await readKept(path, key);
      const tag = { "if-none-match": headers.get("etag") ?? "" };
      for (const given of [{}, { headers: tag }]) {
        const isNamed = path.includes("tenant_id");
        for (const [reader, message] of [
          [stranger, "Tenant access denied"],
          [limited, "Store access denied"],
        ] as const) {
          const reply = await call("GET", path, { key: reader, ...given });
          if (isNamed) expectError(reply, "INSUFFICIENT_PERMISSIONS", message);
          else expectError(reply, "BATCH_NOT_FOUND", /^Batch .* is not known/);
        }
        expectError(await call("GET", path, { key: null, ...given }), "AUTH_REQUIRED", /^Authentication required/);
        expectError(await call("GET", path, { key: "wrong", ...given }), "INVALID_API_KEY", "Invalid API key");
      }
    }
  });

  it("goes no longer to a credential that was revoked", async () => {
    const { signer, answers } = await sealedLog();
    const key = await mint(signer);
    const settings = { API_KEY_CACHE_TTL_SECS: "0" };
    for (const answer of answers) await readKept(answer.path, answer.key, { key });
    for (const { path } of answers) expect((await call("GET", path, { key, settings })).status).toBe(200);
    const prefix = apiKeyHash(key).slice(0, 16);
    const keyPath = url(`/api/v1/agents/${signer.agentId}/api-keys/${prefix}`, { tenant_id: signer.tenantId });
    expect((await call("DELETE", keyPath)).status).toBe(200);
    for (const { path } of answers) {
      expectError(await call("GET", path, { key, settings }), "INVALID_API_KEY", "Invalid API key");
    }
  });

  it("304 for who has it, and the whole answer for who has another", async () => {
    const { answers } = await sealedLog();
    for (const { path, key } of answers) {
      const first = await call("GET", path);
      const etag = first.headers.get("etag") ?? "";
      for (const tag of [etag, `W/${etag}`, "*", `"other", ${etag}`, `"a","b" ,W/${etag}`]) {
        const reply = await call("GET", path, { headers: { "if-none-match": tag } });
        expect([reply.status, reply.text]).toEqual([304, ""]);
        expect(reply.headers.get("etag")).toBe(etag);
        expect(reply.headers.get("vary")).toBe("authorization, x-api-key");
      }
      for (const tag of ['"other"', etag.slice(1, -1), `${etag.slice(0, -2)}"`]) {
        const reply = await call("GET", path, { headers: { "if-none-match": tag } });
        expect([reply.status, reply.text]).toEqual([200, first.text]);
      }
      await readKept(path, key);
    }
  });

  it("is another one in another stream, though asked for in the same words", async () => {
    const [one, two] = [await newLog(1), await newLog(1)];
    for (const { signer } of [one, two]) await seal(signer, 1, 1);
    const read = async ({ signer }: typeof one): Promise<Proof> =>
      (await call<Proof>("GET", url("/api/v1/ves/proofs/1", streamQuery(signer)))).body;
    expect((await read(one)).merkle_root).not.toBe((await read(two)).merkle_root);
    expect(await read(one)).toEqual(await read(one));
  });
});

describe("where payloads are encrypted at rest", () => {
  it("events are kept by their readers, and not at the edge", async () => {
    const { answers } = await sealedLog();
    for (const { path, key } of answers.filter((answer) => answer.key.includes("batch-events"))) {
      const reply = await callDefault("GET", path);
      expect([reply.status, reply.headers.get("cache-control")]).toEqual([200, "private, max-age=31536000, immutable"]);
      const tag = { "if-none-match": reply.headers.get("etag") ?? "" };
      expect((await callDefault("GET", path, { headers: tag })).status).toBe(304);
      expect(await caches.default.match(immutableUrl(key))).toBeUndefined();
    }
  });
});

describe("an error is never kept", () => {
  it("not yet sealed, then sealed", async () => {
    const { signer, log } = await newLog(1);
    const stream = streamQuery(signer);
    const place = [signer.tenantId, signer.storeId];
    const eventId = textOf(log[0], "event_id");
    const asked = [
      { path: url("/api/v1/ves/proofs/1", stream), key: [...place, "proofs", 1, "any"] },
      { path: url(`/api/v1/ves/inclusion-proofs/${eventId}`, stream), key: [...place, "inclusion-proofs", eventId] },
    ];
    for (const { path, key } of asked) {
      for (const headers of [{}, { "if-none-match": "*" }]) {
        const reply = await call("GET", path, { headers });
        expectError(reply, "NOT_YET_SEALED", "The event is in the log, but its batch is not sealed yet");
        expect(reply.headers.get("etag")).toBeNull();
      }
      expect(await caches.default.match(immutableUrl(key))).toBeUndefined();
    }
    await seal(signer, 1, 1);
    for (const { path, key } of asked) await readKept(path, key);
  });

  it("beyond the head, or of a batch that is not there", async () => {
    const { signer } = await newLog(1);
    const stream = streamQuery(signer);
    const place = [signer.tenantId, signer.storeId, "proofs"];
    const batchId = crypto.randomUUID();
    const second = url("/api/v1/ves/proofs/2", stream);
    expectError(await call("GET", second), "EVENT_NOT_FOUND", "No event of this stream has number 2 yet");
    const path = url("/api/v1/ves/proofs/1", { ...stream, batch_id: batchId });
    expectError(await call("GET", path), "BATCH_NOT_FOUND", `Batch ${batchId} is not in this stream`);
    for (const key of [
      [...place, 2, "any"],
      [...place, 1, batchId],
    ]) {
      expect(await caches.default.match(immutableUrl(key))).toBeUndefined();
    }
    await accept(signer, await event(signer));
    await seal(signer, 1, 2);
    await readKept(second, [...place, 2, "any"]);
  });
});
