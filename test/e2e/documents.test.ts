import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bundleWorker } from "../../scripts/lib/bundle-worker.ts";
import { newVariables } from "../../scripts/lib/dev-vars.ts";
import { type LocalServer, startWorker } from "../../scripts/lib/local-server.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const run = promisify(execFile);
const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");

/** The fenced blocks of a document in one language, in order. */
function blocks(document: string, language: string): string[] {
  return [...read(document).matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\``, "gm"))].map(
    ([, code]) => code ?? "",
  );
}

describe("the README's first event", () => {
  const data = mkdtempSync(join(tmpdir(), "sequencer-readme-"));
  let server: LocalServer;

  beforeAll(async () => {
    // Sealed at once, so that the proof need not be waited for.
    const variables = { ...newVariables(), SEAL_MAX_EVENTS: "1" };
    server = await startWorker({ bundle: await bundleWorker(), variables, dataDirectory: data, port: 0 });
  });
  afterAll(async () => {
    await server.stop();
    rmSync(data, { recursive: true, force: true });
  });

  const here = (code: string): string => code.replaceAll("http://127.0.0.1:8080", server.url);

  test("with curl, and the proof that it is in the log", async () => {
    const named = (what: string): string => blocks("README.md", "sh").find((block) => block.includes(what)) ?? "false";
    const code = `${named("first-event")}\nsleep 0.3\n${named("ves/proofs/1")}`;
    const { stdout } = await run("bash", ["-euc", here(code)], { cwd: ROOT });
    expect(stdout).toContain('"success":true');
    expect(stdout).toContain('"eventsAccepted":1');
    expect(stdout).toContain('"sequencerSignature"');
    expect(stdout).toMatch(/"events":\[\{"envelope".*"head_sequence":1/);
    expect(stdout).toMatch(/\{"sequence_number":1,"batch_id":.*"leaf_count":1/);
    expect(stdout).toContain("1 stream, 1 event, 1 batch: no differences");
  });

  test("in TypeScript", async () => {
    const [code] = blocks("README.md", "ts");
    const program = join(ROOT, `readme-example-${process.pid}.ts`);
    writeFileSync(program, here(code ?? ""));
    try {
      const { stdout } = await run("node", ["scripts/run.mjs", program.slice(ROOT.length + 1)], { cwd: ROOT });
      expect(stdout).toContain("eventsAccepted: 1");
    } finally {
      rmSync(program);
    }
  });
});

test("the README names only scripts that exist", () => {
  const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
  const named = [...read("README.md").matchAll(/npm run (?:-s )?([\w:-]+)/g)].map(([, name]) => name);
  expect(named.length).toBeGreaterThan(3);
  expect(Object.keys(scripts)).toEqual(expect.arrayContaining(named));
});

test("docs/storage-schema.md names every table and column of both objects and of Postgres", () => {
  const [objects = "", mirror = ""] = read("docs/storage-schema.md").split("## Postgres");
  const sqlite = /^ {6}([a-z_]{4,}) +(?:INTEGER|BLOB|TEXT|ANY)|CREATE TABLE (\w+)/gm;
  const postgres = /^\t"(\w+)" |CREATE TABLE "(\w+)"/gm;
  for (const folder of ["migrations/stream", "migrations/tenant", "migrations/metrics", "migrations/postgres"]) {
    const steps = readdirSync(join(ROOT, folder)).filter((name) => /^\d{4}_/.test(name));
    const [pattern, document] = folder.endsWith("postgres") ? [postgres, mirror] : [sqlite, objects];
    const names = steps.flatMap((step) => [...read(`${folder}/${step}`).matchAll(pattern)]);
    expect(names.length).toBeGreaterThan(5);
    for (const [, column, table] of names)
      expect(document, `${folder}: ${column ?? table}`).toMatch(new RegExp(`\\b${column ?? table}\\b`));
  }
});

test("paths and links in the documents lead somewhere", () => {
  for (const document of [
    "README.md",
    "ARCHITECTURE.md",
    "docs/agents.md",
    "docs/stateset-sync.md",
    "docs/decisions/README.md",
    "docs/threat-model.md",
  ]) {
    const text = read(document);
    const directory = document.includes("/") ? document.slice(0, document.lastIndexOf("/") + 1) : "";
    const links = [...text.matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)].map(([, path]) => directory + (path ?? ""));
    const files = [...text.matchAll(/`((?:test|docs|scripts|src|contracts)\/[\w./-]+)`/g)].map(
      ([, path]) => path ?? "",
    );
    for (const path of [...links, ...files]) expect(existsSync(join(ROOT, path)), path).toBe(true);
  }
});
