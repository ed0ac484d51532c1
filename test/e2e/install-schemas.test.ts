import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from "vitest";
import { readCatalogue } from "../../scripts/lib/catalogue.ts";
import { call } from "../../scripts/lib/client.ts";
import { admin, type Outcome, serverOptions } from "./support/admin.ts";
import { bundleFile, removeTempDirs, type ServerProcess, startServer, tempDir } from "./support/processes.ts";

const COUNT = readCatalogue().length;

let server: ServerProcess;

beforeAll(async () => {
  server = await startServer(await bundleFile(), tempDir(), { databaseUrl: inject("postgresUrl") });
});
afterAll(async () => {
  await server.kill();
  removeTempDirs();
});

let tenantId: string;
afterEach(() => (tenantId = ""));

function install(...args: readonly string[]): Promise<Outcome> {
  tenantId ||= crypto.randomUUID();
  return admin(["install-schemas", ...serverOptions(server), "--tenant", tenantId, ...args]);
}

function listed(): Promise<{ count: number; schemas: readonly { eventType: string; version: number }[] }> {
  return call(server, "GET", `/api/v1/schemas?tenant_id=${tenantId}`);
}

describe("npm run admin -- install-schemas", () => {
  test("registers all schemas once, and a dry run none", async () => {
    const dry = await install("--dry-run");
    expect([dry.code, dry.out.split("\n").at(-2)]).toEqual([
      0,
      `${COUNT} schemas would be registered, 0 there already, 0 refused.`,
    ]);
    expect(dry.out).toContain("  order.created: would be registered\n");
    expect((await listed()).count).toBe(0);

    const first = await install();
    expect([first.code, first.out.split("\n").at(-2)]).toEqual([
      0,
      `${COUNT} schemas registered, 0 there already, 0 refused.`,
    ]);
    const again = await install("--json");
    const outcomes = JSON.parse(again.out) as { schemas: readonly object[] };
    expect(outcomes.schemas).toHaveLength(COUNT);
    expect(outcomes.schemas[0]).toEqual({ event_type: "customer.address_added", version: 1, outcome: "present" });
    const { schemas } = await listed();
    expect(schemas.map(({ eventType, version }) => [eventType, version])).toEqual(
      readCatalogue().map(({ eventType }) => [eventType, 1]),
    );
  });

  test("only some, and leaves out what is not compatible with the tenant's own", async () => {
    tenantId = crypto.randomUUID();
    const own = { tenantId, eventType: "order.created", schemaJson: { type: "object" } };
    await call(server, "POST", "/api/v1/schemas", own);
    const { code, out } = await install("--event-type", "order.created", "--event-type", "order.shipped");
    const problem = "The schema is not backward compatible with version 1";
    expect({ code, out }).toEqual({
      code: 1,
      out: `  order.created: refused: ${problem}\n  order.shipped: registered as version 1\n1 schema registered, 0 there already, 1 refused.\n`,
    });
  });

  test.each<[readonly string[], number, RegExp]>([
    [["--event-type", "order.create"], 2, /^There is no schema for order\.create\. Did you mean order\.created\? See /],
    [["--tenant", "t"], 2, /^--tenant takes a UUID, not "t"\. See /],
    [["--api-key", "wrong"], 1, /^401 INVALID_API_KEY: Invalid API key\n$/],
  ])("%j", async (args, code, message) => {
    const outcome = await install(...args);
    expect([outcome.code, outcome.out]).toEqual([code, ""]);
    expect(outcome.err).toMatch(message);
  });
});
