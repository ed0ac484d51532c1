import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, lstatSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Client } from "pg";
import { afterAll, expect, test } from "vitest";
import { type EmbeddedPostgres, startPostgres } from "../../scripts/lib/embedded-postgres.ts";
import { ownPostgres } from "./support/postgres.ts";
import { collectOutput, removeTempDirs, tempDir, waitUntil } from "./support/processes.ts";

afterAll(removeTempDirs);

async function query(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: url });
  client.on("error", () => {});
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(text)).rows;
  } finally {
    await client.end();
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test("what was committed outlives kill -9, on the same port", async () => {
  const postgres = await ownPostgres();
  try {
    await query(postgres.url, "INSERT INTO tenants (tenant_id) VALUES ('00000000-0000-0000-0000-000000000001')");
    await postgres.kill();
    await expect(query(postgres.url, "SELECT 1")).rejects.toThrow("ECONNREFUSED");
    await postgres.restart();
    expect(await query(postgres.url, "SELECT count(*)::int AS rows FROM tenants")).toEqual([{ rows: 1 }]);
    await postgres.stop();
    await postgres.restart();
    expect(await query(postgres.url, "SELECT count(*)::int AS rows FROM tenants")).toEqual([{ rows: 1 }]);
  } finally {
    await postgres.stop();
  }
});

test("listens on this machine only, and asks for the password", async () => {
  const postgres = await ownPostgres();
  try {
    const [settings] = await query(postgres.url, "SELECT current_setting('listen_addresses') AS addresses");
    expect(settings).toEqual({ addresses: "127.0.0.1" });
    const wrong = Object.assign(new URL(postgres.url), { password: "wrong" });
    await expect(query(wrong.href, "SELECT 1")).rejects.toThrow("password authentication failed");
  } finally {
    await postgres.stop();
  }
});

test("a second server on the same data is refused; a file of one that was killed is not in the way", async () => {
  const dataDirectory = join(tempDir(), "postgres");
  let postgres: EmbeddedPostgres = await startPostgres({ dataDirectory, durable: false });
  try {
    await expect(startPostgres({ dataDirectory })).rejects.toThrow(
      `Another npm start is using ${dataDirectory}: stop it first.`,
    );
    await postgres.kill();
    const lock = join(dataDirectory, "cluster", "postmaster.pid");
    // Its process id is another program's by now.
    writeFileSync(lock, readFileSync(lock, "utf8").replace(/^\d+/, String(process.pid)));
    postgres = await startPostgres({ dataDirectory, durable: false });
    expect(await query(postgres.url, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
  } finally {
    await postgres.stop();
  }
});

test("it ends with the program that started it, even by kill -9", async () => {
  const program = `
    import { startPostgres } from ${JSON.stringify(join(import.meta.dirname, "../../scripts/lib/embedded-postgres.ts"))};
    const { pid } = await startPostgres({ dataDirectory: ${JSON.stringify(join(tempDir(), "postgres"))}, durable: false });
    process.stdout.write(pid + "\\n");`;
  const file = join(tempDir(), "program.mts");
  writeFileSync(file, program);
  const child = spawn(process.execPath, [file], { stdio: ["ignore", "pipe", "inherit"] });
  const { text } = collectOutput(child);
  await waitUntil(() => text().includes("\n"), 30_000, "Postgres runs", child);
  expect(isRunning(Number(text()))).toBe(true);
  child.kill("SIGKILL");
  await once(child, "exit");
  await waitUntil(() => !isRunning(Number(text())), 10_000, "Postgres has ended");
});

test("what keeps it from starting is said in its own words", async () => {
  const dataDirectory = join(tempDir(), "postgres");
  await (await startPostgres({ dataDirectory, durable: false })).stop();
  writeFileSync(join(dataDirectory, "cluster", "PG_VERSION"), "12\n");
  await expect(startPostgres({ dataDirectory })).rejects.toThrow(
    /^PostgreSQL did not start on .*\/postgres\. It says:\n.*incompatible with server/s,
  );
  rmSync(join(dataDirectory, "cluster"), { recursive: true });
  await expect(startPostgres({ dataDirectory })).rejects.toThrow(/holds no database that this user can open/);
});

test.runIf(process.getuid?.() === 0)("as root it works below a directory that only root can enter", async () => {
  const root = tempDir();
  chmodSync(root, 0o700);
  const dataDirectory = join(root, "postgres");
  for (const tables of [0, 1]) {
    const postgres = await startPostgres({ dataDirectory, durable: false });
    try {
      const found = await query(postgres.url, "SELECT count(*)::int AS found FROM pg_tables WHERE tablename = 'kept'");
      expect(found).toEqual([{ found: tables }]);
      await query(postgres.url, "CREATE TABLE IF NOT EXISTS kept ()");
    } finally {
      await postgres.stop();
    }
  }
  expect(lstatSync(dataDirectory).isSymbolicLink()).toBe(true);
  // Otherwise the next one that starts in such a directory would do it.
  rmSync(dirname(realpathSync(dataDirectory)), { recursive: true });
});
