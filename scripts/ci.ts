import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/*
 * Everything that must hold before a change goes in: the tests, the linter, the formatting, the types and the generated
 * files. Runs all of it whatever fails, and ends with how many tests and checks passed and failed.
 */

const CHECKS = [
  "lint",
  "format:check",
  "types:check",
  "openapi:check",
  "configuration:check",
  "migrations:check",
  "contracts:check",
] as const;

interface Tally {
  passed: number;
  failed: number;
}

const total: Tally = { passed: 0, failed: 0 };
const directory = mkdtempSync(join(tmpdir(), "sequencer-ci-"));
try {
  const report = join(directory, "tests.json");
  const ended = run("test", "--reporter=default", "--reporter=json", `--outputFile.json=${report}`);
  const tests = testTally(report);
  // A run that fails without a failed test (a crash, a suite that does not load) counts as a failure.
  add(tests.failed === 0 && !ended ? { ...tests, failed: 1 } : tests);
  for (const check of CHECKS) add(run(check) ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 });
} finally {
  rmSync(directory, { recursive: true, force: true });
}
process.stdout.write(`\n${total.passed} passed, ${total.failed} failed\n`);
process.exitCode = total.failed === 0 && total.passed > CHECKS.length ? 0 : 1;

function run(script: string, ...args: string[]): boolean {
  process.stdout.write(`\n== ${script}\n`);
  const { status } = spawnSync("npm", ["run", "--silent", script, "--", ...args], { stdio: "inherit" });
  return status === 0;
}

function testTally(path: string): Tally {
  try {
    const report = JSON.parse(readFileSync(path, "utf8")) as { numPassedTests: number; numFailedTests: number };
    return { passed: report.numPassedTests, failed: report.numFailedTests };
  } catch {
    return { passed: 0, failed: 1 };
  }
}

function add({ passed, failed }: Tally): void {
  total.passed += passed;
  total.failed += failed;
}
