import { env } from "cloudflare:workers";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import type { Signer } from "../../../scripts/lib/signer.ts";
import type { AnchorSetup } from "../../../src/anchor/messages.ts";
import { type Connection, withPostgres } from "../../../src/mirror/postgres.ts";
import { noteFrozen, noteThawed } from "../../../src/mirror/stream-tables.ts";
import { VERSION } from "../../../src/version.ts";
import { COMMITMENTS, newLog, seal, type Stream } from "./batches.ts";
import { accept, ADMIN, ANCHOR_AWAY, call, event, expectError, mint, newAgent, type Reply } from "./harness.ts";

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
    readonly anchor_service: { readonly name: string; readonly status: string; readonly message?: string };
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
  for (const series of Object.keys(numbers)) {
    const name = series.replace(/\{.*/, "").replace(/_(bucket|sum|count)$/, "");
    expect(reply.text).toMatch(new RegExp(`# TYPE ${name} (gauge|counter|histogram)\n`));
    expect(reply.text).toMatch(new RegExp(`# HELP ${name} .`));
  }
  return numbers;
}

/** Deployments whose anchoring Worker is configured. It is not there: only what is noted about its runs is asked for here. */
const ANCHORS = {
  ANCHOR: {
    ...ANCHOR_AWAY.ANCHOR,
    setup: (): Promise<AnchorSetup> =>
      Promise.resolve({ kind: "on", chainId: 1, contract: "0x00", sequencer: "0x00", confirmations: 6 }),
  },
};

/** What the component says of a deployment that anchors nothing. */
const ANCHORS_NOTHING = {
  name: "anchor",
  status: "not_configured",
  message: "This deployment has no binding ANCHOR: nothing is anchored",
};

async function inPostgres(sql: string, values: readonly unknown[]): Promise<void> {
  await withPostgres(env.POSTGRES, (connection) => connection.query(sql, [...values]));
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
      anchor_service: ANCHORS_NOTHING,
      lag: {
        status: "not_configured",
        message: "This deployment has no binding METRICS: nothing is known of what waits",
      },
      metrics: { status: "not_configured" },
    },
  });
});

it("is degraded while the anchoring Worker that is bound cannot be reached", async () => {
  const { body } = await health(await adminOf(await newAgent()), ANCHOR_AWAY);
  expect(body).toMatchObject({ status: "degraded", components: { database: { status: "healthy" } } });
  const message = "The anchoring Worker cannot be reached";
  expect(body.components.anchor_service).toEqual({ name: "anchor", status: "degraded", message });
});

it("is degraded while anchoring does not run or fails, and for the tenant whose batch is refused", async () => {
  const { signer } = await newLog(1);
  const [key, stranger] = [await adminOf(signer), await adminOf(await newAgent())];
  const { batch_id: batchId } = await seal(signer, 1, 1);
  const told = async (askedWith: string): Promise<object> =>
    (await health(askedWith, ANCHORS)).body.components.anchor_service;
  const degraded = (message: RegExp) => ({ status: "degraded", message: expect.stringMatching(message) as string });
  const hasRun = (ago: string, error: string | null): Promise<void> =>
    inPostgres("UPDATE ves_anchor_state SET last_run_at = now() - $1::interval, last_error = $2", [ago, error]);
  try {
    await hasRun("6 min", null);
    expect(await told(key)).toMatchObject(degraded(/^The anchoring Worker has not run for minutes/));
    await hasRun("1 min", "the chain's node is away");
    expect(await told(key)).toMatchObject(degraded(/^The last run failed/));
    await hasRun("1 min", null);
    expect(await told(key)).toMatchObject({ status: "healthy" });
    await inPostgres("UPDATE ves_anchors SET failures = 1 WHERE batch_id = $1", [batchId]);
    expect(await told(key)).toMatchObject(degraded(/^Some batches are refused/));
    expect(await told(stranger)).toMatchObject({ status: "healthy" });
  } finally {
    await inPostgres("UPDATE ves_anchor_state SET last_run_at = NULL, last_error = NULL", []);
    await inPostgres("UPDATE ves_anchors SET failures = 0 WHERE batch_id = $1", [batchId]);
  }
});

it("lists a stream that is in conflict with the contract among the frozen ones, once", async () => {
  const [signer, stranger] = [await newAgent(), await newAgent()];
  const [key, other] = [await adminOf(signer), await adminOf(stranger)];
  const { tenantId, storeId } = signer;
  const frozenFor = async (): Promise<unknown> => (await health(key)).body.components.mirror.frozen_streams;
  const listed = { tenant_id: tenantId, store_id: storeId, frozen_at: expect.stringMatching(TIME) as string };
  await inPostgres("INSERT INTO ves_anchor_conflicts (tenant_id, store_id, reason) VALUES ($1, $2, 'other roots')", [
    tenantId,
    storeId,
  ]);
  try {
    expect(await frozenFor()).toEqual([{ ...listed, reason: "other roots" }]);
    await whileFrozen(signer, "two histories", async () => {
      expect(await frozenFor()).toEqual([{ ...listed, reason: "other roots" }]);
      expect(await metrics(key)).toMatchObject({ sequencer_streams_frozen: 1 });
      await inPostgres(
        "UPDATE ves_anchor_conflicts SET found_at = now() + interval '1 hour' WHERE tenant_id = $1 AND store_id = $2",
        [tenantId, storeId],
      );
      expect(await frozenFor()).toEqual([{ ...listed, reason: "two histories" }]);
    });
    expect((await health(other)).body.components.mirror.frozen_streams).toEqual([]);
    expect(await metrics(other)).toMatchObject({ sequencer_streams_frozen: 0 });
  } finally {
    await inPostgres("DELETE FROM ves_anchor_conflicts WHERE tenant_id = $1 AND store_id = $2", [tenantId, storeId]);
  }
  expect(await frozenFor()).toEqual([]);
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

it("tells a key for some stores only of theirs", async () => {
  const own = await newAgent();
  const other = await newAgent(own.tenantId);
  const keyFor = (...storeIds: string[]): Promise<string> => mint(own, { admin: true, storeIds });
  const storesTold = async (key: string): Promise<string[]> =>
    (await health(key)).body.components.mirror.frozen_streams.map(({ store_id }) => store_id).toSorted();
  for (const signer of [own, other]) {
    await accept(signer, await event(signer));
    await seal(signer, 1, 1);
  }
  const both = [own.storeId, other.storeId].toSorted();
  await whileFrozen(own, "one", () =>
    whileFrozen(other, "two", async () => {
      for (const stores of [[own.storeId], [other.storeId], both]) {
        const key = await keyFor(...stores);
        expect(await storesTold(key)).toEqual(stores);
        const numbers = { sequencer_streams_frozen: stores.length, sequencer_streams_mirrored: stores.length };
        expect(await metrics(key)).toMatchObject(numbers);
      }
      expect(await storesTold(await keyFor(crypto.randomUUID()))).toEqual([]);
      expect(await storesTold(await adminOf(own))).toEqual(both);
    }),
  );
});

describe("says what is wrong with a database", () => {
  const name = `health_${crypto.randomUUID().replaceAll("-", "")}`;
  const onServer = async (sql: string): Promise<void> => {
    await withPostgres({ connectionString: inject("postgresUrl") }, (connection) => connection.query(sql));
  };
  const urlOf = (change: Partial<URL>): string => Object.assign(new URL(inject("postgresUrl")), change).href;
  const owner = { connectionString: urlOf({ pathname: `/${name}` }) } as Hyperdrive;
  const inOwn = <T>(work: (connection: Connection) => Promise<T>): Promise<T> => withPostgres(owner, work);

  beforeAll(async () => {
    await onServer(`CREATE DATABASE ${name}`);
    await onServer(`CREATE ROLE ${name} LOGIN PASSWORD '${name}'`);
  });
  afterAll(async () => {
    await onServer(`DROP DATABASE ${name} WITH (FORCE)`);
    await onServer(`DROP ROLE ${name}`);
  });

  /** All that asks Postgres while a client waits. */
  async function expectProblem(hyperdrive: Pick<Hyperdrive, "connectionString">, problem: string): Promise<void> {
    const settings = { POSTGRES: hyperdrive };
    const started = Date.now();
    const [told, numbers, batch] = await Promise.all([
      health(ADMIN, settings),
      metrics(ADMIN, settings),
      call("GET", `${COMMITMENTS}/${crypto.randomUUID()}`, { settings }),
    ]);
    expect(told.status).toBe(200);
    expect(told.body).toMatchObject({
      status: "degraded",
      components: {
        database: { status: "unhealthy", message: `${problem}: sealed batches wait in their streams meanwhile` },
      },
    });
    expect(numbers).toEqual({ sequencer_mirror_up: 0 });
    const advice = "and batches are looked up there: repeat the request, or name tenant_id and store_id";
    expectError(batch, "SERVICE_UNAVAILABLE", `${problem}, ${advice}`);
    expect(Date.now() - started).toBeLessThan(10_000);
  }

  it("without the schema", async () => {
    await expectProblem(owner, "Postgres lacks the mirror's schema, which npm run admin -- migrate makes");
  });

  it("without rights, and one that accepts and never answers", async () => {
    await inOwn(async (connection) => {
      await connection.query(
        "CREATE TABLE ves_frozen_streams (tenant_id uuid, store_id uuid, reason text, frozen_at date)",
      );
      await connection.query(
        "CREATE TABLE ves_anchor_conflicts (tenant_id uuid, store_id uuid, reason text, found_at date)",
      );
      await connection.query(
        "CREATE TABLE ves_commitments (tenant_id uuid, store_id uuid, batch_id uuid, sequence_start int)",
      );
    });
    const role = { connectionString: urlOf({ pathname: `/${name}`, username: name, password: name }) };
    await expectProblem(role, "The Worker lacks rights in Postgres, which docs/operations.md lists");

    await inOwn(async (connection) => {
      await connection.query("BEGIN");
      await connection.query("LOCK TABLE ves_frozen_streams, ves_commitments");
      await expectProblem(owner, "Postgres cannot be reached");
    });
  }, 20_000);
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
        message: "Postgres cannot be reached: sealed batches wait in their streams meanwhile",
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

it("counts what is not anchored where an anchoring Worker is bound", async () => {
  const { signer } = await newLog(3);
  const other = await newLog(1, signer.tenantId);
  const key = await adminOf(signer);
  const numbers = async (): Promise<[batches: number | undefined, oldest: number]> => {
    const all = await metrics(key, ANCHOR_AWAY);
    return [all["sequencer_batches_unanchored"], all["sequencer_anchor_oldest_unanchored_seconds"] ?? NaN];
  };
  expect(await numbers()).toEqual([0, 0]);
  const batches = [await seal(signer, 1, 1), await seal(signer, 2, 3), await seal(other.signer, 1, 1)];
  const [count, oldest] = await numbers();
  expect(count).toBe(3);
  expect(oldest).toBeGreaterThan(0);
  for (const [index, { batch_id: batchId }] of batches.entries()) {
    const body = { chainTxHash: "ab".repeat(32), chainId: 1 };
    expect((await call("POST", `/v1/commitments/${batchId}/anchored`, { body })).status).toBe(200);
    expect((await numbers())[0]).toBe(2 - index);
  }
  expect(await numbers()).toEqual([0, 0]);
});

it.each([HEALTH, "/metrics"])("%s is for administrators", async (path) => {
  const key = await mint(await newAgent());
  expectError(await call("GET", path, { key }), "INSUFFICIENT_PERMISSIONS", "Admin permission required");
  expectError(await call("GET", path, { key: null }), "AUTH_REQUIRED", /^Authentication required/);
  expectError(await call("POST", path), "METHOD_NOT_ALLOWED", "POST is not served here, only GET, HEAD");
});
