import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import type { Signer } from "../../../scripts/lib/signer.ts";
import { withPostgres } from "../../../src/mirror/postgres.ts";
import { noteFrozen, noteThawed } from "../../../src/mirror/stream-tables.ts";
import { VERSION } from "../../../src/version.ts";
import { newLog, seal, type Stream } from "./batches.ts";
import { call, expectError, mint, newAgent, type Reply } from "./harness.ts";

const HEALTH = "/health/detailed";
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00$/;
/** Nobody listens there. */
const AWAY = { POSTGRES: { connectionString: "postgres://nobody:nothing@127.0.0.1:9/nowhere" } };
const NONE = { POSTGRES: undefined };

interface Health {
  readonly status: string;
  readonly components: {
    readonly database: { readonly status: string; readonly message?: string };
    readonly mirror: { readonly status: string; readonly frozen_streams: readonly { readonly store_id: string }[] };
  };
}

const adminOf = (signer: Signer): Promise<string> => mint(signer, { admin: true });
const health = (key: string, settings = {}): Promise<Reply<Health>> => call("GET", HEALTH, { key, settings });

async function metrics(key: string, settings = {}): Promise<Record<string, number>> {
  const reply = await call<string>("GET", "/metrics", { key, settings });
  expect(reply.status).toBe(200);
  expect(reply.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  const lines = reply.text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  const numbers = Object.fromEntries(lines.map((line) => [line.split(" ")[0] ?? "", Number(line.split(" ")[1])]));
  for (const name of Object.keys(numbers)) {
    expect(reply.text).toContain(`# TYPE ${name} gauge\n`);
    expect(reply.text).toMatch(new RegExp(`# HELP ${name} .`));
  }
  return numbers;
}

async function whileFrozen(stream: Stream, reason: string, work: () => Promise<void>): Promise<void> {
  await withPostgres(env.POSTGRES, (connection) => noteFrozen(connection, stream, reason));
  try {
    await work();
  } finally {
    await withPostgres(env.POSTGRES, (connection) => noteThawed(connection, stream));
  }
}

it("is healthy when Postgres answers and no stream is frozen", async () => {
  const reply = await health(await adminOf(await newAgent()));
  expect(reply.status).toBe(200);
  expect(reply.body).toEqual({
    status: "healthy",
    service: "stateset-sequencer",
    version: VERSION,
    timestamp: expect.stringMatching(TIME) as string,
    components: {
      database: { name: "postgresql", status: "healthy", response_time_ms: expect.any(Number) as number },
      mirror: { status: "healthy", frozen_streams: [] },
    },
  });
});

it("is degraded while a stream is frozen, and tells a tenant only of its own", async () => {
  const [signer, stranger] = [await newAgent(), await newAgent()];
  const [key, other] = [await adminOf(signer), await adminOf(stranger)];
  await whileFrozen(signer, "two histories", async () => {
    const frozen = {
      tenant_id: signer.tenantId,
      store_id: signer.storeId,
      reason: "two histories",
      frozen_at: expect.stringMatching(TIME) as string,
    };
    const own = (await health(key)).body;
    expect(own).toMatchObject({ status: "degraded", components: { database: { status: "healthy" } } });
    expect(own.components.mirror).toEqual({ status: "degraded", frozen_streams: [frozen] });
    const all = (await call<Health>("GET", HEALTH)).body;
    expect(all.status).toBe("degraded");
    expect(all.components.mirror.frozen_streams).toContainEqual(frozen);
    expect((await health(other)).body.components.mirror).toEqual({ status: "healthy", frozen_streams: [] });
    expect(await metrics(key)).toMatchObject({ sequencer_streams_frozen: 1 });
    expect(await metrics(other)).toMatchObject({ sequencer_streams_frozen: 0 });
  });
  expect((await health(key)).body.status).toBe("healthy");
});

it("is degraded, with 200, while Postgres is away", async () => {
  const key = await adminOf(await newAgent());
  const reply = await health(key, AWAY);
  expect(reply.status).toBe(200);
  expect(reply.body).toMatchObject({
    status: "degraded",
    components: {
      database: {
        name: "postgresql",
        status: "unhealthy",
        message: "Postgres cannot be reached: sealed batches wait in their streams until it can",
      },
      mirror: { status: "degraded", frozen_streams: [] },
    },
  });
  expect(await metrics(key, AWAY)).toEqual({ sequencer_mirror_up: 0 });
});

it("says so where no mirror is configured", async () => {
  const key = await adminOf(await newAgent());
  expect((await health(key, NONE)).body).toMatchObject({
    status: "healthy",
    components: {
      database: {
        name: "postgresql",
        status: "not_configured",
        message: "This deployment has no binding POSTGRES: nothing is mirrored",
      },
      mirror: { status: "not_configured", frozen_streams: [] },
    },
  });
  expect(await metrics(key, NONE)).toEqual({});
});

it("counts the streams of a tenant, or all", async () => {
  const { signer } = await newLog(2);
  const key = await adminOf(signer);
  const up = { sequencer_mirror_up: 1, sequencer_streams_frozen: 0 };
  expect(await metrics(key)).toEqual({ ...up, sequencer_streams_mirrored: 0 });
  await seal(signer, 1, 1);
  await seal(signer, 2, 2);
  expect(await metrics(key)).toEqual({ ...up, sequencer_streams_mirrored: 1 });
  const second = await newLog(1, signer.tenantId);
  await seal(second.signer, 1, 1);
  expect(await metrics(key)).toEqual({ ...up, sequencer_streams_mirrored: 2 });
  const all = await metrics("dev_admin_key");
  expect(all["sequencer_mirror_up"]).toBe(1);
  expect(all["sequencer_streams_mirrored"]).toBeGreaterThanOrEqual(2);
});

it.each([HEALTH, "/metrics"])("%s is for administrators", async (path) => {
  const key = await mint(await newAgent());
  expectError(await call("GET", path, { key }), "INSUFFICIENT_PERMISSIONS", "Admin permission required");
  expectError(await call("GET", path, { key: null }), "AUTH_REQUIRED", /^Authentication required/);
  expectError(await call("POST", path), "METHOD_NOT_ALLOWED", "POST is not served here, only GET, HEAD");
});
