import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { keyIdOf } from "../../../src/at-rest/payload-cipher.ts";
import { payloadKey } from "../../../src/at-rest/payload-key.ts";
import { blob } from "../../../src/storage/sql-store.ts";
import { streamObjectName } from "../../../src/stream-ref.ts";
import { fromHex } from "../../../src/ves/index.ts";
import { newLog, seal } from "./batches.ts";
import { accept, call, event, expectError, newAgent, streamQuery, textOf, url } from "./harness.ts";

const OWN = "77".repeat(32);
const OTHER = { PAYLOAD_ENCRYPTION_KEY: OWN };

function storedPayloads(stream: { tenantId: string; storeId: string }): Promise<unknown[]> {
  const stub = env.STREAMS.getByName(streamObjectName(stream));
  return runInDurableObject(stub, (_, { storage }) =>
    storage.sql
      .exec("SELECT payload FROM events ORDER BY sequence_number")
      .toArray()
      .map(({ payload }) => payload),
  );
}

/** Everything of a stream that shows payloads. */
async function payloadPaths() {
  const { signer, log } = await newLog(2);
  const { batch_id: batchId } = await seal(signer, 1, 2);
  const stream = streamQuery(signer);
  const [id, type, entity] = ["event_id", "entity_type", "entity_id"].map((name) => textOf(log[0], name));
  const paths = [
    "/api/v1/ves/events",
    `/api/v1/ves/events/${id}`,
    `/api/v1/ves/entities/${type}/${entity}`,
    `/api/v1/ves/commitments/${batchId}/events`,
    "/api/v1/events",
    `/api/v1/events/${id}`,
    `/api/v1/entities/${type}/${entity}`,
  ].map((path) => url(path, stream));
  return { signer, id, stream, paths };
}

describe("payloads at rest", () => {
  it("are stored encrypted under the configured key, and read by every route", async () => {
    const { signer, paths } = await payloadPaths();
    const payloads = await storedPayloads(signer);
    expect(payloads).toHaveLength(2);
    const { id } = payloadKey(fromHex((env as unknown as { PAYLOAD_ENCRYPTION_KEY: string }).PAYLOAD_ENCRYPTION_KEY));
    for (const payload of payloads) expect(keyIdOf(blob(payload as ArrayBuffer))).toBe(id);
    for (const path of paths) {
      const reply = await call("GET", path);
      expect(reply.status).toBe(200);
      expect(reply.text).toContain('"payload":');
    }
  });

  it("without their key are refused with the number, and nothing else is", async () => {
    const { id, stream, paths } = await payloadPaths();
    for (const path of paths) {
      const reply = await call<{ error: { details: object } }>("GET", path, { settings: OTHER });
      expectError(
        reply,
        "PAYLOAD_UNREADABLE",
        /^The payload of event 1 cannot be decrypted; the server's log says why$/,
      );
      expect(reply.status).toBe(503);
      expect(reply.body.error.details).toEqual({ sequence_number: 1 });
    }
    for (const path of [`/api/v1/ves/receipts/${id}`, "/api/v1/ves/head", "/api/v1/ves/proofs/1"]) {
      const reply = await call("GET", url(path, stream), { settings: OTHER });
      expect([path, reply.status]).toEqual([path, 200]);
    }
  });

  it("of a tenant with a key of its own are under that, and those from before stay readable", async () => {
    const { signer } = await newLog(1);
    const settings = { PAYLOAD_ENCRYPTION_KEYS_BY_TENANT: JSON.stringify({ [signer.tenantId]: [OWN] }) };
    const own = await event(signer);
    const pushed = await call("POST", "/api/v1/ves/events/ingest", {
      settings,
      body: { agentId: signer.agentId, events: [own] },
    });
    expect(pushed.status).toBe(200);
    const payloads = await storedPayloads(signer);
    expect(keyIdOf(blob(payloads[1] as ArrayBuffer))).toBe(payloadKey(fromHex(OWN)).id);
    const path = url("/api/v1/ves/events", streamQuery(signer));
    expect((await call("GET", path, { settings })).status).toBe(200);
    // The deployment's own key alone reads the first only.
    expectError(await call("GET", path), "PAYLOAD_UNREADABLE", /event 2/);
  });

  it("stored as text are read by every mode but required", async () => {
    const signer = await newAgent();
    const pushed = await call("POST", "/api/v1/ves/events/ingest", {
      settings: { PAYLOAD_ENCRYPTION_MODE: "off" },
      body: { agentId: signer.agentId, events: [await event(signer)] },
    });
    expect(pushed.status).toBe(200);
    expect(await storedPayloads(signer)).toEqual([expect.any(String)]);
    await accept(signer, await event(signer));
    const path = url("/api/v1/ves/events", streamQuery(signer));
    for (const mode of ["optional", "disabled"]) {
      const reply = await call("GET", path, { settings: { PAYLOAD_ENCRYPTION_MODE: mode } });
      expect(reply.status).toBe(200);
    }
    expectError(await call("GET", path), "PAYLOAD_UNREADABLE", /event 1/);
  });

  it("reencrypt names what no key opens, leaves it, and does everything else", async () => {
    const { signer } = await newLog(1);
    const ownKey = { PAYLOAD_ENCRYPTION_KEYS_BY_TENANT: JSON.stringify({ [signer.tenantId]: [OWN] }) };
    // Another key's, then three that are stored as text, of which one is damaged.
    for (const settings of [ownKey, ...Array.from({ length: 3 }, () => ({ PAYLOAD_ENCRYPTION_MODE: "off" }))]) {
      const body = { agentId: signer.agentId, events: [await event(signer)] };
      expect((await call("POST", "/api/v1/ves/events/ingest", { settings, body })).status).toBe(200);
    }
    const damaged = new Uint8Array([1, 2, 3]);
    await runInDurableObject(env.STREAMS.getByName(streamObjectName(signer)), (_, { storage }) => {
      storage.sql.exec("DROP TRIGGER events_are_never_changed");
      storage.sql.exec("UPDATE events SET payload = ? WHERE sequence_number = 4", damaged);
    });
    const before = await storedPayloads(signer);
    const ownId = payloadKey(fromHex(OWN)).id;
    const missing = `its payload is encrypted under key ${ownId}, which is not configured`;
    const unreadable = {
      unreadable_count: 2,
      unreadable: [
        { sequence_number: 2, key_id: ownId, reason: missing },
        { sequence_number: 4, key_id: "none", reason: "its payload is not what was encrypted for it" },
      ],
    };
    const path = "/api/v1/admin/streams/reencrypt";
    const body = { tenantId: signer.tenantId, storeId: signer.storeId };
    const dry = await call<object>("POST", path, { body: { ...body, dryRun: true } });
    expect(dry.body).toMatchObject({ ...unreadable, object: { reencrypted: 0 } });
    const done = await call<object>("POST", path, { body });
    expect(done.status).toBe(200);
    expect(done.body).toMatchObject({ ...unreadable, next_sequence: null, object: { reencrypted: 2 } });
    const after = await storedPayloads(signer);
    for (const left of [0, 1, 3]) expect(after[left]).toEqual(before[left]);
    for (const changed of [2, 4]) expect(after[changed]).toBeInstanceOf(ArrayBuffer);
  });

  it("reencrypt refuses an unknown store, and finds nothing beyond the end", async () => {
    const { signer } = await newLog(1);
    const path = "/api/v1/admin/streams/reencrypt";
    const body = { tenantId: signer.tenantId, storeId: signer.storeId };
    const done = await call<object>("POST", path, { body });
    expect(done.body).toMatchObject({ next_sequence: null, head_sequence: 1, object: { reencrypted: 0 } });
    const unknown = await call("POST", path, { body: { ...body, storeId: crypto.randomUUID() } });
    expectError(unknown, "RESOURCE_NOT_FOUND", /never written to/);
    const beyond = await call<object>("POST", path, { body: { ...body, from: 50 } });
    expect(beyond.body).toMatchObject({ next_sequence: null, object: { by_key: {} } });
  });
});
