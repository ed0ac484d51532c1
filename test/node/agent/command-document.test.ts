import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { commands } from "../../../agent/src/cli/commands.ts";
import { EXIT, EXIT_HELP } from "../../../agent/src/cli/exit-codes.ts";

const ROOT = join(import.meta.dirname, "..", "..", "..");
const SOURCE = join(ROOT, "agent", "src", "cli");
const sections = readFileSync(join(ROOT, "docs", "stateset-sync.md"), "utf8").split(/^## /m);

/** First cells of the table that stands under a heading, or before the first heading. */
function firstCells(heading: string): string[] {
  const section = sections.find((text) => text.startsWith(heading)) ?? sections[0] ?? "";
  return [...section.matchAll(/^\| `?([^|`]+?)`? +\|/gm)]
    .map(([, cell]) => cell ?? "")
    .filter((cell) => !/^-+$/.test(cell));
}

function sources(): string {
  const names = readdirSync(SOURCE, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
  return names.map((name) => readFileSync(join(SOURCE, name), "utf8")).join("\n");
}

describe("docs/stateset-sync.md", () => {
  test("lists every command, and what each prints", () => {
    const names = Object.keys(commands);
    expect(firstCells("# ").filter((cell) => cell !== "command")).toEqual(names);
    expect(firstCells("JSON").filter((cell) => names.includes(cell))).toEqual(names);
  });

  test("lists every exit code, as --help does", () => {
    const codes = Object.values(EXIT).map(String);
    expect(firstCells("Exit codes").slice(1)).toEqual(codes);
    expect([...EXIT_HELP.matchAll(/^ +(\d+) /gm)].map(([, code]) => code)).toEqual(codes);
  });

  test("lists every code of an error", () => {
    const inSource = [...sources().matchAll(/(?:CommandError\(\s*|code: )"([A-Z_]+)"/g)].map(([, code]) => code ?? "");
    const listed = firstCells("JSON").filter((cell) => /^[A-Z_]+$/.test(cell));
    expect(new Set(listed)).toEqual(new Set(inSource));
  });

  test("lists every check of the doctor", () => {
    const inSource = [...sources().matchAll(/\bnote\("([\w-]+)"/g)].map(([, name]) => name ?? "");
    expect(new Set(firstCells("Doctor").slice(1))).toEqual(new Set(inSource));
  });
});

describe("the help of each command", () => {
  test.each(Object.entries(commands))("%s says how it is called, and fits a terminal", (name, { help, summary }) => {
    expect(help.startsWith(`Usage: stateset-sync ${name} `)).toBe(true);
    expect(help.endsWith("\n")).toBe(true);
    expect(summary).not.toMatch(/\.$/);
    for (const line of help.split("\n")) expect(line.length, line).toBeLessThanOrEqual(110);
  });
});
