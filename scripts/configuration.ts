import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { format, resolveConfig } from "prettier";
import { UNREAD_VARIABLES } from "../src/unread-variables.ts";
import { type Variable, VARIABLES } from "./lib/variables.ts";

/*
 * `npm run configuration` writes the tables of docs/configuration.md, each between `<!-- its name -->` and `<!-- end -->`;
 * with --check it fails when they are not what the code says.
 */

const PATH = join(import.meta.dirname, "..", "docs", "configuration.md");

const TABLES: Readonly<Record<string, string>> = {
  sequencer: variableTable(VARIABLES.sequencer),
  start: variableTable(VARIABLES.start),
  anchoring: variableTable(VARIABLES.anchoring),
  unread: table(
    ["variables", "instead"],
    UNREAD_VARIABLES.map(({ names, instead }) => [names.map(code).join(", "), instead]),
  ),
};

const before = readFileSync(PATH, "utf8");
const filled = before.replaceAll(
  /^<!-- (?!end)(\w+) -->\n[^]*?^<!-- end -->$/gm,
  (_, name: string) => `<!-- ${name} -->\n\n${TABLES[name] ?? ""}\n\n<!-- end -->`,
);
const missing = Object.keys(TABLES).filter((name) => !before.includes(`<!-- ${name} -->`));
const text = await format(filled, { ...(await resolveConfig(PATH)), filepath: PATH });

if (missing.length > 0) {
  fail(`docs/configuration.md has no place for the tables ${missing.join(", ")}.`);
} else if (!process.argv.includes("--check")) {
  writeFileSync(PATH, text);
} else if (before !== text) {
  fail("docs/configuration.md is out of date: run npm run configuration and commit it.");
}

function variableTable(variables: readonly Variable[]): string {
  return table(
    ["variable", "value", "default", "meaning"],
    variables.map(({ name, form, fallback, isRequired, isSecret, meaning }) => {
      const absent = isRequired ? "required" : fallback === null ? "unset" : code(fallback);
      return [code(name), form, isSecret ? `${absent}, secret` : absent, meaning];
    }),
  );
}

function table(heading: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(heading), line(heading.map(() => "---")), ...rows.map(line)].join("\n");
}

function code(word: string): string {
  return `\`${word}\``;
}

function fail(sentence: string): void {
  process.stderr.write(`${sentence}\n`);
  process.exitCode = 1;
}
