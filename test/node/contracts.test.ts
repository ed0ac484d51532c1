import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { stateSetAnchorAbi } from "../../contracts/abi.ts";
import { anchorVectors } from "../../scripts/lib/anchor-vectors.ts";
import { compileAnchor } from "../../scripts/lib/contract.ts";
import { foundryProgram } from "../../scripts/lib/foundry.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const COMPILED_BY_FORGE = "node_modules/.cache/contracts/out/StateSetAnchor.sol/StateSetAnchor.json";
/** Compiling everything takes seconds when another suite keeps the machine busy. */
const COMPILE_MS = 60_000;

interface ForgeResult {
  readonly status: string;
  readonly reason: string | null;
}

/** Forge's results by test, `Suite.test`. Empty where there is no forge for this platform. */
const results = await forgeResults();

async function forgeResults(): Promise<[name: string, result: ForgeResult][]> {
  const forge = foundryProgram("forge");
  if (forge === undefined) return [];
  const output = await new Promise<string>((resolve, reject) => {
    execFile(forge, ["test", "--json"], { cwd: ROOT, maxBuffer: 2 ** 26 }, (_error, stdout, stderr) => {
      // It fails when a test does, which its report says better.
      if (stdout.startsWith("{")) resolve(stdout);
      else reject(new Error(`${stdout}${stderr}`));
    });
  });
  const suites = JSON.parse(output) as Record<string, { readonly test_results: Record<string, ForgeResult> }>;
  return Object.entries(suites).flatMap(([suite, { test_results: tests }]) =>
    Object.entries(tests).map(([name, result]): [string, ForgeResult] => [`${suite.split(":")[1]}.${name}`, result]),
  );
}

describe.runIf(foundryProgram("forge") !== undefined)("in the EVM, by forge", () => {
  test.each(results)("%s", (_name, { status, reason }) => {
    expect({ status, reason }).toEqual({ status: "Success", reason: null });
  });

  test("every suite ran, on the bytes that are deployed", { timeout: COMPILE_MS }, async () => {
    const suites = new Set(results.map(([name]) => name.split(".")[0]));
    const expected = [
      "AnchorBatchTest",
      "AnchorSingleTest",
      "FuzzTest",
      "InterfaceTest",
      "InvariantTest",
      "SequencersTest",
      "VectorsTest",
    ];
    expect(suites).toEqual(new Set(expected));
    const { bytecode } = JSON.parse(readFileSync(join(ROOT, COMPILED_BY_FORGE), "utf8")) as {
      bytecode: { object: string };
    };
    expect((await compileAnchor()).bytecode === bytecode.object).toBe(true);
  });
});

test("contracts/abi.ts is the contract's interface", { timeout: COMPILE_MS }, async () => {
  expect((await compileAnchor()).abi).toEqual(stateSetAnchorAbi);
});

test("the contract's vectors are what src/ves says", () => {
  expect(readFileSync(join(ROOT, "contracts/test/vectors.json"), "utf8") === anchorVectors()).toBe(true);
});
