import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { commands } from "../../scripts/admin/commands.ts";
import { type OwnDatabase, ownDatabase } from "../support/own-database.ts";
import { runAdmin } from "../support/run-admin.ts";

let database: OwnDatabase;
const TENANT = crypto.randomUUID();

beforeAll(async () => {
  database = await ownDatabase(inject("postgresUrl"));
  // 6,000 batches, so that they are forgotten in two pieces, of two streams.
  await database.query(
    `INSERT INTO ves_anchors (tenant_id, store_id, sequence_start, batch_id, status, anchored_at, chain_id, block_number, revision)
     SELECT '${TENANT}', CASE n % 2 WHEN 0 THEN '${TENANT}'::uuid ELSE gen_random_uuid() END, n, gen_random_uuid(),
            'anchored', now(), 1, n, 1 FROM generate_series(1, 6000) n`,
  );
  await database.query(
    `UPDATE ves_anchors SET store_id = '${TENANT}'::uuid WHERE sequence_start % 2 = 0;
     UPDATE ves_anchors SET store_id = '00000000-0000-4000-8000-000000000001' WHERE sequence_start % 2 = 1;
     INSERT INTO ves_anchor_attempts (chain_id, contract, sender, nonce, head_block) VALUES (1, '\\x00', '\\x00', 0, 0);
     UPDATE ves_anchor_state SET chain_id = 1, contract = '\\x00'`,
  );
});
afterAll(() => database.drop());

const counts = async (): Promise<unknown> => {
  const [row] = await database.query(
    `SELECT (SELECT count(*)::integer FROM ves_anchors WHERE status = 'anchored') AS anchored,
            (SELECT count(*)::integer FROM ves_anchors WHERE status = 'pending' AND revision > 1) AS again,
            (SELECT status FROM ves_anchor_attempts) AS attempt, (SELECT chain_id FROM ves_anchor_state) AS chain`,
  );
  return row;
};

test("reanchor says what it would forget, and asks to be told to", async () => {
  expect(runAdmin("reanchor", "--database-url", database.url)).toEqual({
    code: 2,
    out: "",
    error: "Give either --dry-run or --yes. See npm run admin -- reanchor --help\n",
  });
  expect(runAdmin("reanchor", "--dry-run", "--database-url", database.url)).toEqual({
    code: 0,
    out: "6,000 batches of 2 streams would be anchored again.\n",
    error: "",
  });
  expect(await counts()).toMatchObject({ anchored: 6_000, again: 0 });
});

test("reanchor waits for a run to end", async () => {
  await database.query(
    "UPDATE ves_anchor_state SET lease_holder = gen_random_uuid(), lease_until = now() + interval '1 hour'",
  );
  expect(runAdmin("reanchor", "--yes", "--database-url", database.url)).toMatchObject({
    code: 1,
    error: "The anchoring Worker is at work: try again in a moment.\n",
  });
  await database.query("UPDATE ves_anchor_state SET lease_holder = NULL, lease_until = NULL");
});

test("reanchor forgets everything, and is done when it is run again", async () => {
  expect(runAdmin("reanchor", "--yes", "--json", "--database-url", database.url)).toEqual({
    code: 0,
    out: '{"batches":6000,"streams":2}\n',
    error: "",
  });
  expect(await counts()).toEqual({ anchored: 0, again: 6_000, attempt: "lost", chain: null });
  expect(runAdmin("reanchor", "--yes", "--database-url", database.url).out).toBe(
    "0 batches of 0 streams will be anchored again, with the next run.\n",
  );
  expect(await counts()).toMatchObject({ again: 6_000 });
});

test("reanchor explains itself", () => {
  const { out } = runAdmin("reanchor", "--help");
  expect(out).toContain("no audit log has an entry of it");
  expect(out).toContain("--dry-run");
  expect(commands["reanchor"]?.summary).toBe("has every batch anchored again, in another contract");
});
