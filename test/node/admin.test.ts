import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, inject, test } from "vitest";
import { commands } from "../../scripts/admin/commands.ts";
import { nearest } from "../../scripts/lib/nearest.ts";

const PROGRAM = join(import.meta.dirname, "..", "..", "scripts", "admin.ts");

/** What `npm run admin -- ...args` says and ends with. */
function admin(...args: readonly string[]): {
  readonly code: number | null;
  readonly out: string;
  readonly error: string;
} {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", PROGRAM, ...args],
    { encoding: "utf8" },
  );
  return { code: status, out: stdout, error: stderr };
}

describe("npm run admin", () => {
  test.each([[], ["--help"]])("lists every command (%s)", (...args) => {
    const { code, out, error } = admin(...args);
    expect({ code, error }).toEqual({ code: 0, error: "" });
    for (const [name, { summary }] of Object.entries(commands))
      expect(out).toMatch(new RegExp(`^  ${name} +${summary}$`, "m"));
  });

  test("suggests the command that an unknown one may have meant", () => {
    expect(admin("migarte")).toEqual({
      code: 2,
      out: "",
      error: "There is no command migarte. Did you mean migrate?\n",
    });
    expect(admin("toString").error).toBe("There is no command toString. npm run admin lists the commands.\n");
  });

  test("migrate says what it applied, as a sentence and as JSON", () => {
    const url = inject("postgresUrl");
    expect(admin("migrate", "--database-url", url)).toEqual({
      code: 0,
      out: "The database is up to date.\n",
      error: "",
    });
    expect(admin("migrate", "--json", "--database-url", url)).toEqual({ code: 0, out: '{"applied":[]}\n', error: "" });
  });

  test("migrate says what is wrong: 2 for its arguments, 1 for the rest", () => {
    expect(admin("migrate", "--nope")).toEqual({
      code: 2,
      out: "",
      error: "Unknown option '--nope'. See npm run admin -- migrate --help\n",
    });
    expect(admin("migrate", "--database-url", "postgres://nobody")).toEqual({
      code: 1,
      out: "",
      error: "DATABASE_URL must be of the form postgres://user:password@host:port/database.\n",
    });
  });
});

test.each([
  ["migrat", "migrate"],
  ["mig", "migrate"],
  ["fcsk", "fsck"],
  ["", undefined],
  ["other", undefined],
])("nearest to %j is %j", (word, expected) => {
  expect(nearest(word, ["migrate", "fsck"])).toBe(expected);
});
