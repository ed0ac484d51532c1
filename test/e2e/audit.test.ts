import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";
import { call } from "../../scripts/lib/client.ts";
import type { AuditEntry } from "../../src/audit/entry.ts";
import { admin, type Outcome, serverOptions } from "./support/admin.ts";
import { bundleFile, removeTempDirs, type ServerProcess, startServer, tempDir } from "./support/processes.ts";

let server: ServerProcess;
let directory: string;
let tenantId: string;

beforeAll(async () => {
  server = await startServer(await bundleFile(), tempDir(), { databaseUrl: inject("postgresUrl") });
});
afterAll(async () => {
  await server.kill();
  removeTempDirs();
});
beforeEach(() => {
  directory = tempDir();
  tenantId = crypto.randomUUID();
});

const file = (name: string): string => join(directory, name);

async function mint(times: number): Promise<void> {
  for (let n = 0; n < times; n++) {
    await call(server, "POST", `/api/v1/agents/${crypto.randomUUID()}/api-keys`, { tenantId });
  }
}

const audit = (...args: readonly string[]): Promise<Outcome> =>
  admin(["audit", ...serverOptions(server), "--tenant", tenantId, ...args]);
const auditFile = (...args: readonly string[]): Promise<Outcome> =>
  admin(["audit", "--tenant", tenantId, "--file", file("log"), ...args]);

function exported(): AuditEntry[] {
  const lines = readFileSync(file("log"), "utf8").trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line) as AuditEntry);
}

function rewrite(entries: readonly AuditEntry[]): void {
  writeFileSync(file("log"), entries.map((entry) => `${JSON.stringify(entry)}\n`).join(""));
}

describe("npm run admin -- audit", () => {
  test("shows the log, and says that it is sound and goes on from what was kept", async () => {
    await mint(3);
    const first = await audit("--save-head", file("head"), "--export", file("log"), "--last", "2");
    expect({ code: first.code, err: first.err }).toEqual({ code: 0, err: "" });
    const entries = exported();
    expect(entries.map(({ sequence, action }) => [sequence, action])).toEqual([
      [1, "api_key.minted"],
      [2, "api_key.minted"],
      [3, "api_key.minted"],
    ]);
    const shown = first.out.split("\n");
    expect(shown).toHaveLength(4);
    expect(shown[0]).toMatch(/^ {5}2 {2}\S+ {2}api_key\.minted {2}api_key [0-9a-f]{16} {2}by bootstrap/);
    expect(shown[2]).toMatch(
      new RegExp(`^3 entries: the chain is sound\\. Head ${entries[2]?.hash}, signed \\S+ with key 1\\.$`),
    );

    await mint(1);
    const later = await audit("--head", file("head"), "--json");
    expect(later.code).toBe(0);
    expect(JSON.parse(later.out)).toMatchObject({ tenant_id: tenantId, entries: 4, problem: null });
    expect(await auditFile("--head", file("head"))).toMatchObject({
      code: 0,
      out: expect.stringMatching(
        /\n3 entries: the chain is sound, and goes on from entry 3, which was kept\. Head /,
      ) as string,
    });
  });

  test("of a tenant that nothing was done in is sound too", async () => {
    expect(await audit()).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^0 entries: the chain is sound/) as string,
    });
  });

  test("finds alterations of an exported log, and what it lacks", async () => {
    await mint(4);
    expect((await audit("--export", file("log"), "--save-head", file("head"))).code).toBe(0);
    const entries = exported();
    const cases: readonly [readonly AuditEntry[], string][] = [
      [
        entries.map((entry) => (entry.sequence === 3 ? { ...entry, address: "203.0.113.1" } : entry)),
        "entry 3 is not what its hash says",
      ],
      [entries.toSpliced(1, 1), "entry 2 is missing: 3 stands in its place"],
      [entries.slice(0, 3), "the log ends at entry 3, and the head that was kept is of entry 4"],
    ];
    for (const [changed, problem] of cases) {
      rewrite(changed);
      const { code, out } = await auditFile("--head", file("head"));
      expect({ code, last: out.split("\n").at(-2) }).toEqual({
        code: 1,
        last: expect.stringContaining(`: ${problem}.`) as string,
      });
    }
  });

  test("finds that the sequencer's log is not the one of before, and that a head was not signed by it", async () => {
    await mint(2);
    expect((await audit("--save-head", file("head"))).code).toBe(0);
    const head = JSON.parse(readFileSync(file("head"), "utf8")) as Record<string, unknown>;
    const cases: readonly [Record<string, unknown>, string][] = [
      [{ sequence: 9 }, "the log ends at entry 2, and the head that was kept is of entry 9"],
      [{ hash: "ab".repeat(32) }, "entry 2 is not the one whose hash was kept: the log was made anew"],
      [
        { signature: "ab".repeat(64) },
        "the signature of the head that was kept does not verify under the sequencer's key 1",
      ],
      [{ key_version: 7 }, "the head that was kept is signed with key 7, which the sequencer does not publish"],
    ];
    for (const [change, problem] of cases) {
      writeFileSync(file("head"), JSON.stringify({ ...head, ...change }));
      const { code, out } = await audit("--head", file("head"), "--json");
      expect({ code, problem: (JSON.parse(out) as { problem: string }).problem }).toEqual({ code: 1, problem });
    }
  });

  test.each<[string, readonly string[], RegExp]>([
    ["a wrong key", ["--api-key", "wrong"], /^The sequencer at \S+ answers 401 INVALID_API_KEY: Invalid API key\.\n$/],
    ["no file", ["--file", "/nowhere"], /^\/nowhere cannot be read: ENOENT/],
    ["no such head", ["--head", "/nowhere"], /^\/nowhere cannot be read: ENOENT/],
    ["no tenant's id", ["--tenant", "t"], /^--tenant takes a UUID, not "t"\. See npm run admin -- audit --help\n$/],
    ["no number", ["--last", "x"], /^--last takes a whole number from 0 on, not "x"\. See /],
    ["a head of a file", ["--file", "f", "--save-head", "h"], /^Only the sequencer signs a head: .*\. See /],
  ])("exit code 2: %s", async (_, args, sentence) => {
    const outcome = await audit(...args);
    expect(outcome).toMatchObject({ code: 2, out: "" });
    expect(outcome.err).toMatch(sentence);
  });

  test("exit code 2: a file that is no log", async () => {
    writeFileSync(file("log"), "{}\n");
    expect((await auditFile()).err).toBe(`Line 1 of ${file("log")} is no entry of an audit log.\n`);
  });
});
