import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { collectOutput, removeTempDirs, tempDir } from "./support/processes.ts";
import { userEnvironment } from "./support/working-copy.ts";

const RUNNER = join(import.meta.dirname, "..", "..", "scripts", "run.mjs");

afterAll(removeTempDirs);

describe("scripts/run.mjs installs the dependencies exactly when they are not those of the lock file", () => {
  /** A project with nothing but the runner, a lock file, a program that says its arguments, and a npm that makes notes. */
  function project(): { readonly run: () => Promise<{ code: number | null; text: string }>; readonly root: string } {
    const root = tempDir();
    const files = {
      "package-lock.json": lock("1.0.0"),
      "program.mjs": "process.stdout.write(`program ${process.argv.slice(2)}\\n`)",
      "npm.js": `const fs = require("node:fs");
        if (fs.existsSync("npm-fails")) process.exit(7);
        fs.appendFileSync("npm-calls", process.argv.slice(2).join(" ") + "\\n");
        fs.mkdirSync("node_modules/.bin", { recursive: true });
        fs.copyFileSync("package-lock.json", "node_modules/.package-lock.json");
        if (!fs.existsSync("node_modules/.bin/node")) fs.symlinkSync(process.execPath, "node_modules/.bin/node");`,
    };
    for (const [name, text] of Object.entries(files)) writeFileSync(join(root, name), text);
    mkdirSync(join(root, "scripts"));
    writeFileSync(join(root, "scripts", "run.mjs"), readFileSync(RUNNER));
    const run = async (): Promise<{ code: number | null; text: string }> => {
      const child = spawn("node", ["scripts/run.mjs", "program.mjs", "a", "b"], {
        cwd: root,
        env: userEnvironment({ npm_execpath: join(root, "npm.js") }),
        stdio: ["ignore", "pipe", "pipe"],
      });
      const output = collectOutput(child);
      await once(child, "close");
      return { code: child.exitCode, text: output.text() };
    };
    return { root, run };
  }

  function lock(version: string, optional = "1.0.0"): string {
    const elsewhere = { version: optional, optional: true };
    return JSON.stringify({ packages: { "": {}, "node_modules/a": { version }, "node_modules/elsewhere": elsewhere } });
  }

  const INSTALLING = /^Installing dependencies, which takes about half a minute the first time \.\.\.\nprogram a,b\n$/;

  test("missing, the same, changed, with one that is not in the lock, and for another platform", async () => {
    const { root, run } = project();
    const calls = (): string[] => readFileSync(join(root, "npm-calls"), "utf8").trimEnd().split("\n");
    const write = (name: string, text: string): void => writeFileSync(join(root, name), text);

    expect((await run()).text).toMatch(INSTALLING);
    expect(calls()).toEqual([expect.stringMatching(/^ci /)]);
    expect(await run()).toEqual({ code: 0, text: "program a,b\n" });
    expect(calls()).toHaveLength(1);

    write("package-lock.json", lock("1.0.1"));
    expect((await run()).text).toMatch(INSTALLING);
    expect(await run()).toEqual({ code: 0, text: "program a,b\n" });
    expect(calls()).toHaveLength(2);

    write("node_modules/.package-lock.json", lock("1.0.1").replace("node_modules/elsewhere", "node_modules/stray"));
    expect((await run()).text).toMatch(INSTALLING);
    expect(calls()).toHaveLength(3);

    write("node_modules/.package-lock.json", JSON.stringify({ packages: { "node_modules/a": { version: "1.0.1" } } }));
    expect(await run()).toEqual({ code: 0, text: "program a,b\n" });
    expect(calls()).toHaveLength(3);
  });

  test("what npm could not install ends it with npm's code, before the program", async () => {
    const { root, run } = project();
    writeFileSync(join(root, "npm-fails"), "");
    const { code, text } = await run();
    expect(code).toBe(7);
    expect(text).toMatch(/The dependencies could not be installed: see above, and try `npm ci`\.\n$/);
    expect(text).not.toContain("program");
  });
});
