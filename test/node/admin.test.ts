import { describe, expect, inject, test } from "vitest";
import { commands } from "../../scripts/admin/commands.ts";
import { nearest } from "../../scripts/lib/nearest.ts";
import { runAdmin } from "../support/run-admin.ts";

describe("npm run admin", () => {
  test.each([[], ["--help"], ["commands"]])("lists every command (%s)", (...args) => {
    const { code, out, error } = runAdmin(...args);
    expect({ code, error }).toEqual({ code: 0, error: "" });
    for (const [name, { summary }] of Object.entries(commands))
      expect(out).toMatch(new RegExp(`^  ${name} +${summary}$`, "m"));
  });

  test("suggests the command that an unknown one may have meant", () => {
    expect(runAdmin("migarte")).toEqual({
      code: 2,
      out: "",
      error: "There is no command migarte. Did you mean migrate?\n",
    });
    expect(runAdmin("toString").error).toBe("There is no command toString. npm run admin lists the commands.\n");
  });

  test("migrate says what it applied, as a sentence and as JSON", () => {
    const url = inject("postgresUrl");
    expect(runAdmin("migrate", "--database-url", url)).toEqual({
      code: 0,
      out: "The database is up to date.\n",
      error: "",
    });
    expect(runAdmin("migrate", "--json", "--database-url", url)).toEqual({
      code: 0,
      out: '{"applied":[]}\n',
      error: "",
    });
  });

  test("migrate says what is wrong: 2 for its arguments, 1 for the rest", () => {
    expect(runAdmin("migrate", "--nope")).toEqual({
      code: 2,
      out: "",
      error: "Unknown option '--nope'. See npm run admin -- migrate --help\n",
    });
    expect(runAdmin("migrate", "--database-url", "postgres://nobody")).toEqual({
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
