#!/usr/bin/env node
/*
 * The Solidity compiler from npm, with the command line that forge expects of a compiler: `--version`, and
 * `--standard-json` from standard input to standard output. Imports that the input does not hold are read from the current
 * directory.
 */
import { readFileSync, writeSync } from "node:fs";
import solc from "solc";

if (process.argv.includes("--version")) {
  print(
    `solc, the solidity compiler commandline interface\nVersion: ${solc.version().replace("Emscripten.clang", "Linux.g++")}\n`,
  );
} else if (process.argv.includes("--standard-json")) {
  print(solc.compile(readFileSync(0, "utf8"), { import: (path) => ({ contents: readFileSync(path, "utf8") }) }));
} else {
  process.stderr.write("usage: solc.mjs --version | --standard-json\n");
  process.exitCode = 2;
}

/** Writes all of it before the process ends, also to a pipe. */
function print(text) {
  for (let rest = Buffer.from(text); rest.length > 0;) {
    try {
      rest = rest.subarray(writeSync(1, rest));
    } catch (error) {
      // The reader is not through with what it has.
      if (error.code !== "EAGAIN") throw error;
    }
  }
}
