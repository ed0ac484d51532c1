import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { anchorVectors } from "./lib/anchor-vectors.ts";
import { compileAnchor } from "./lib/contract.ts";

/*
 * `npm run contracts` writes what is made from the contract's source for TypeScript, and from src/ves for the contract's
 * tests; with --check it fails when a file is not what they say.
 */

const CONTRACTS = join(import.meta.dirname, "..", "contracts");

const { abi } = await compileAnchor();
const files = {
  "abi.ts": [
    "/** The interface of contracts/StateSetAnchor.sol, made by `npm run contracts`. */",
    "// prettier-ignore",
    "export const stateSetAnchorAbi = [",
    ...abi.map((item) => `  ${JSON.stringify(item)},`),
    "] as const;",
    "",
  ].join("\n"),
  "test/vectors.json": anchorVectors(),
};

for (const [name, text] of Object.entries(files)) {
  const path = join(CONTRACTS, name);
  if (!process.argv.includes("--check")) {
    writeFileSync(path, text);
  } else if (readFileSync(path, "utf8") !== text) {
    process.stderr.write(`contracts/${name} is out of date: run npm run contracts and commit it.\n`);
    process.exitCode = 1;
  }
}
