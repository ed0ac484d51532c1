import { randomUUID } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "pg";
import { afterEach, beforeEach, describe, expect, inject, test } from "vitest";
import { migratePostgres, pendingMigrations } from "../../scripts/lib/postgres-migrations.ts";
import { upsertRegistryRows } from "../../src/mirror/registry-tables.ts";
import { runAdmin } from "../support/run-admin.ts";

const FOLDER = join(import.meta.dirname, "..", "..", "migrations", "postgres");
const STEPS = readdirSync(FOLDER)
  .filter((name) => name.endsWith(".sql"))
  .map((name) => name.slice(0, -".sql".length))
  .toSorted();
/** Everything that the migrations make, in one text. */
const SCHEMA = `
  SELECT string_agg(line, E'\\n' ORDER BY line) AS schema FROM (
    SELECT format('%s.%s %s %s %s', table_name, column_name, data_type, is_nullable, column_default) AS line
      FROM information_schema.columns WHERE table_schema IN ('public', 'drizzle')
    UNION ALL SELECT conrelid::regclass || ' ' || pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid <> 0
    UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    UNION ALL SELECT hash FROM drizzle.__drizzle_migrations
  ) AS lines`;

let server: Client;
let name: string;
let url: string;
let client: Client;

beforeEach(async () => {
  server = await connected(inject("postgresUrl"));
  name = `migrations_${randomUUID().replaceAll("-", "")}`;
  await server.query(`CREATE DATABASE ${name}`);
  url = Object.assign(new URL(inject("postgresUrl")), { pathname: `/${name}` }).href;
  client = await connected(url);
});
afterEach(async () => {
  await client.end();
  await server.query(`DROP DATABASE ${name} WITH (FORCE)`);
  await server.end();
});

async function connected(to: string): Promise<Client> {
  const opened = new Client({ connectionString: to });
  await opened.connect();
  return opened;
}

async function schema(of: Client): Promise<string> {
  return (await of.query<{ schema: string }>(SCHEMA)).rows[0]?.schema ?? "";
}

describe("migratePostgres", () => {
  test("applies all steps once, and the second time none", async () => {
    expect(await migratePostgres(url)).toEqual({ applied: STEPS });
    const first = await schema(client);
    expect(first).toContain("ves_events.created_at text NO");
    expect(await migratePostgres(url)).toEqual({ applied: [] });
    expect(await schema(client)).toBe(first);
  });

  test("lists the steps that it would apply, and changes nothing", async () => {
    const relations = "SELECT oid FROM pg_class ORDER BY oid";
    const before = await client.query(relations);
    expect(await pendingMigrations(url)).toEqual(STEPS);
    expect(runAdmin("migrate", "--dry-run", "--database-url", url)).toEqual({
      code: 0,
      out: `Would apply ${STEPS.join(", ")}.\n`,
      error: "",
    });
    expect(runAdmin("migrate", "--dry-run", "--json", "--database-url", url).out).toBe(
      `${JSON.stringify({ pending: STEPS })}\n`,
    );
    expect((await client.query(relations)).rows).toEqual(before.rows);
    await migratePostgres(url);
    expect(await pendingMigrations(url)).toEqual([]);
    expect(runAdmin("migrate", "--dry-run", "--database-url", url).out).toBe("The database is up to date.\n");
    await client.query("INSERT INTO drizzle.__drizzle_migrations (hash, created_at) VALUES ('of a newer version', 1)");
    await expect(pendingMigrations(url)).rejects.toThrow(/it has migrations that are not among those of this version/);
  });

  test("five at once take turns: one of them applies everything", async () => {
    const runs = await Promise.all(Array.from({ length: 5 }, () => migratePostgres(url)));
    expect(runs.flatMap(({ applied }) => applied)).toEqual(STEPS);
    expect(await schema(client)).toBe(await schema(server));
  });

  test("killed in the middle, it leaves nothing half done, and the next run does everything", async () => {
    // The second step waits for this lock: it wants its function into the catalogue.
    await client.query("BEGIN");
    await client.query("LOCK TABLE pg_catalog.pg_proc IN SHARE MODE");
    const run = migratePostgres(url).then(
      () => "done",
      (error: Error) => error.message,
    );
    const waiting =
      "SELECT pid FROM pg_stat_activity WHERE datname = $1 AND wait_event_type = 'Lock' AND query ~ 'CREATE FUNCTION'";
    let pid: number | undefined;
    while (pid === undefined) {
      await sleep(5);
      pid = (await server.query<{ pid: number }>(waiting, [name])).rows[0]?.pid;
    }
    await server.query("SELECT pg_terminate_backend($1)", [pid]);
    expect(await run).toMatch(/^The PostgreSQL database cannot be used: /);
    await client.query("COMMIT");

    expect((await client.query("SELECT to_regclass('ves_events') AS found")).rows).toEqual([{ found: null }]);
    expect(await migratePostgres(url)).toEqual({ applied: STEPS });
    expect(await schema(client)).toBe(await schema(server));
  });

  test.each([
    ["a step more", "INSERT INTO drizzle.__drizzle_migrations (hash, created_at) VALUES ('later', 9999999999999)"],
    ["another first step", "UPDATE drizzle.__drizzle_migrations SET hash = 'other' WHERE id = 1"],
  ])("refuses a database with %s than it knows, and leaves it alone", async (_, change) => {
    await migratePostgres(url);
    await client.query(change);
    const before = await schema(client);
    await expect(migratePostgres(url)).rejects.toThrow(
      "The PostgreSQL database cannot be used: it has migrations that are not among those of this version. " +
        "Use the version that made them, or a newer one",
    );
    expect(await schema(client)).toBe(before);
  });

  test("says in a sentence that nobody is there", async () => {
    const nobody = "postgres://user:secret@127.0.0.1:9/database";
    await expect(migratePostgres(nobody)).rejects.toThrow(/^The PostgreSQL database cannot be used: .*ECONNREFUSED/);
  });
});

describe("what is done by hand to mirrored rows is recorded", () => {
  const tenant = randomUUID();
  const store = randomUUID();
  const zeros = Buffer.alloc(32);

  beforeEach(async () => {
    await migratePostgres(url);
    const event = [tenant, store, 7, randomUUID(), new Date(0), tenant, zeros, Buffer.alloc(64)];
    await client.query(
      `INSERT INTO ves_events (tenant_id, store_id, sequence_number, event_id, sequenced_at, receipt_key_version,
         ves_version, source_agent_id, agent_key_id, entity_type, entity_id, entity_version, event_type, created_at,
         payload_kind, payload, payload_plain_hash, event_signing_hash, agent_signature)
       VALUES ($1, $2, $3, $4, $5, 1, 1, $6, 1, 'order', '1', 1, 'order.created', '', 0, '{}', $7, $7, $8)`,
      event,
    );
    await client.query(
      `INSERT INTO ves_commitments (tenant_id, store_id, sequence_start, sequence_end, batch_id, ves_version, leaf_count,
         merkle_root, prev_state_root, new_state_root, committed_at) VALUES ($1, $2, 3, 8, $3, 1, 6, $4, $4, $4, now())`,
      [tenant, store, randomUUID(), zeros],
    );
  });

  test.each([
    ["UPDATE ves_events SET payload = '[]'", "ves_events", "7", "UPDATE"],
    ["DELETE FROM ves_events", "ves_events", "7", "DELETE"],
    ["TRUNCATE ves_events", "ves_events", "7", "TRUNCATE"],
    ["UPDATE ves_commitments SET ves_version = 2", "ves_commitments", "3", "UPDATE"],
    ["DELETE FROM ves_commitments", "ves_commitments", "3", "DELETE"],
    ["TRUNCATE ves_commitments", "ves_commitments", "3", "TRUNCATE"],
  ])("%s", async (change, table, number, operation) => {
    expect((await client.query("SELECT 1 FROM ves_alterations")).rows).toEqual([]);
    // By a role that may do this, and may not write what is recorded.
    const role = `${name}_hand`;
    await client.query(`CREATE ROLE ${role}; GRANT SELECT, UPDATE, DELETE, TRUNCATE ON ${table} TO ${role}`);
    await client.query(`SET ROLE ${role}`);
    await client.query(change);
    await client.query("RESET ROLE");
    await client.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
    const { rows } = await client.query(
      "SELECT tenant_id, store_id, table_name, sequence_number, operation, altered_by FROM ves_alterations",
    );
    const place = { tenant_id: tenant, store_id: store, table_name: table, sequence_number: number };
    expect(rows).toEqual([{ ...place, operation, altered_by: "sequencer" }]);
  });

  const ENCRYPTED = "'SSE2'::bytea || decode('00', 'hex')";

  test("a payload is encrypted, and under another key, without a record", async () => {
    const rekeyed = `UPDATE ves_events SET payload = NULL, payload_encrypted = ${ENCRYPTED}`;
    await client.query(rekeyed);
    await client.query(`${rekeyed} || decode('01', 'hex')`);
    expect((await client.query("SELECT 1 FROM ves_alterations")).rows).toEqual([]);
    expect((await client.query("SELECT payload FROM ves_events")).rows).toEqual([{ payload: null }]);
  });

  test.each([
    ["something beside it", `payload = NULL, payload_encrypted = ${ENCRYPTED}, created_at = 'x'`],
    ["the number beside it", `payload = NULL, payload_encrypted = ${ENCRYPTED}, sequence_number = 9`],
    ["bytes that are no encrypted payload", "payload = NULL, payload_encrypted = 'SSE1'"],
    ["another text", "payload = '[2]'"],
  ])("%s is recorded", async (_, change) => {
    await client.query(`UPDATE ves_events SET ${change}`);
    expect((await client.query("SELECT operation FROM ves_alterations")).rows).toEqual([{ operation: "UPDATE" }]);
  });

  test("an encrypted payload that is put back as text is recorded", async () => {
    await client.query(`UPDATE ves_events SET payload = NULL, payload_encrypted = ${ENCRYPTED}`);
    await client.query("UPDATE ves_events SET payload = '{}', payload_encrypted = NULL");
    expect((await client.query("SELECT operation FROM ves_alterations")).rows).toEqual([{ operation: "UPDATE" }]);
  });

  test.each([
    ["no payload", "payload = NULL"],
    ["two payloads", `payload_encrypted = ${ENCRYPTED}`],
  ])("a row with %s is refused", async (_, change) => {
    await expect(client.query(`UPDATE ves_events SET ${change}`)).rejects.toThrow("ves_events_payload");
  });

  test("a commitment whose leaves are not its range is refused", async () => {
    const change = "UPDATE ves_commitments SET leaf_count = 5";
    await expect(client.query(change)).rejects.toThrow("ves_commitments_leaf_count");
  });
});

describe("the mirrored audit log", () => {
  beforeEach(async () => {
    await migratePostgres(url);
    await client.query(
      `INSERT INTO ves_audit_log (tenant_id, sequence_number, entry_id, recorded_at, action, hash, entry)
       VALUES (gen_random_uuid(), 1, gen_random_uuid(), now(), 'api_key.minted', $1, '{}')`,
      [Buffer.alloc(32)],
    );
  });

  test.each(["UPDATE ves_audit_log SET entry = ''", "DELETE FROM ves_audit_log", "TRUNCATE ves_audit_log"])(
    "refuses %s, even from its owner",
    async (change) => {
      await expect(client.query(change)).rejects.toThrow("ves_audit_log is append-only");
      expect((await client.query("SELECT entry FROM ves_audit_log")).rows).toEqual([{ entry: "{}" }]);
    },
  );

  test("is written by a role that may read and insert, and do nothing else", async () => {
    const role = `${name}_mirror`;
    await client.query(
      `CREATE ROLE ${role}; GRANT SELECT, INSERT ON tenants, stores, agents, ves_audit_log TO ${role}`,
    );
    await client.query(`GRANT SELECT, INSERT, UPDATE ON agent_signing_keys TO ${role};
       GRANT SELECT, INSERT, UPDATE, DELETE ON api_keys TO ${role}; SET ROLE ${role}`);
    const entry = { sequence_number: 7, entry_id: randomUUID(), recorded_at: new Date(0), action: "schema.deleted" };
    const audit = JSON.stringify([{ ...entry, hash: `\\x${"ab".repeat(32)}`, entry: '{"a":"\\u0000"}' }]);
    const tenantId = randomUUID();
    const nothing = { stores: "[]", agents: "[]", keys: "[]", apiKeys: "[]", removedApiKeys: "[]" };
    for (let time = 0; time < 2; time++) {
      await upsertRegistryRows(client, tenantId, { ...nothing, audit });
    }
    await client.query(`RESET ROLE; DROP OWNED BY ${role}; DROP ROLE ${role}`);
    const { rows } = await client.query("SELECT * FROM ves_audit_log WHERE tenant_id = $1", [tenantId]);
    expect(rows).toMatchObject([{ ...entry, sequence_number: "7", entry: '{"a":"\\u0000"}' }]);
  });
});
