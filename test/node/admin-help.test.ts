import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { commands } from "../../scripts/admin/commands.ts";
import { runAdmin } from "../support/run-admin.ts";

const DOCUMENT = readFileSync(join(import.meta.dirname, "..", "..", "docs", "admin.md"), "utf8");
const ID = crypto.randomUUID();

afterEach(() => vi.restoreAllMocks());

async function helpOf(name: string): Promise<string> {
  const write = vi.spyOn(process.stdout, "write").mockReturnValue(true);
  expect(await commands[name]?.run(["--help"])).toBe(0);
  return write.mock.calls.map(([text]) => String(text)).join("");
}

describe.each(Object.keys(commands))("%s", (name) => {
  test("explains itself, in docs/admin.md too", async () => {
    const help = await helpOf(name);
    expect(help).toMatch(new RegExp(`^Usage: npm run admin -- ${name}\\b`));
    expect(help).toContain("--json");
    expect(DOCUMENT).toContain(`\n## ${name}\n\n\`\`\`text\n${help}\`\`\`\n`);
  });
});

test("docs/admin.md names no command that is not there", () => {
  const named = [...DOCUMENT.matchAll(/^## ([a-z-]+)$/gm)].map(([, name]) => name);
  expect(named).toEqual(Object.keys(commands));
});

test.each<[readonly string[], RegExp]>([
  [["create-key"], /^Give --tenant\.$/],
  [["create-key", "--tenant", "t"], /^--tenant takes a UUID, not "t"\.$/],
  [["create-key", "--tenant", ID, "--expires-at", "soon"], /^--expires-at takes a time such as /],
  [["create-key", "--tenant", ID, "--rate-limit", "0"], /^--rate-limit takes a whole number from 1 on, not "0"\.$/],
  [["create-key", "--tenant", ID, "--admin", "--read-only"], /^Give --admin or --read-only\.$/],
  [["revoke-key", "--tenant", ID, "--agent", ID, "--hash", "x"], /^--hash takes /],
  [["register-agent-key", "--tenant", ID, "--agent", ID], /^Give either --public-key or --private-key-file\.$/],
  [["revoke-agent-key", "--tenant", ID, "--agent", ID], /^Give --key-id\.$/],
  [["commit-and-anchor", "--tenant", ID], /^Give --store\.$/],
  [["list-keys", "--nope"], /^Unknown option '--nope'\.$/],
  [["list-keys", "--key-file", "/nowhere"], /^--key-file: \/nowhere cannot be read: ENOENT\.$/],
  [
    ["export-events", "--tenant", ID, "--store", ID, "--from", "0"],
    /^--from takes a whole number from 1 on, not "0"\.$/,
  ],
  [["export-events", "--tenant", ID, "--store", ID, "--from", "9", "--to", "8"], /^--to lies before --from\.$/],
  [["export-events", "--tenant", ID, "--store", ID, "--json"], /^--json goes with --output/],
])("%j is wrong usage", async ([name = "", ...args], message) => {
  const refused = await commands[name]
    ?.run([...args, "--url", "http://127.0.0.1:9", ...(args.includes("--key-file") ? [] : ["--api-key", "none"])])
    .catch((error: unknown) => error);
  expect(refused).toMatchObject({ name: "UsageError", message: expect.stringMatching(message) as string });
});

test("help explains a command, and a misspelt one is answered with the one that was meant", { timeout: 20_000 }, () => {
  expect(runAdmin("help", "version").out).toMatch(/^Usage: npm run admin -- version/);
  expect(runAdmin("list-kyes").error).toBe("There is no command list-kyes. Did you mean list-keys?\n");
});
