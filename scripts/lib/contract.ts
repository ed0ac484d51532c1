import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { Abi } from "viem";

/*
 * Compiles contracts/StateSetAnchor.sol with the compiler from npm. The result is kept in node_modules/.cache under a hash
 * of everything that it depends on.
 */

const ROOT = join(import.meta.dirname, "..", "..");
const CONTRACT = "StateSetAnchor";
const SOURCES = "contracts";
const CACHE = join(ROOT, "node_modules", ".cache", "contracts", "anchor");
const COMPILER = "solc";
const LIBRARY = "@openzeppelin/contracts";

/** Also those of foundry.toml, so that forge tests the very bytes that are deployed. */
const SETTINGS = {
  evmVersion: "cancun",
  optimizer: { enabled: true, runs: 1000 },
  metadata: { bytecodeHash: "none", appendCBOR: false },
  remappings: [`${LIBRARY}/=node_modules/${LIBRARY}/`],
  outputSelection: { [`${SOURCES}/${CONTRACT}.sol`]: { [CONTRACT]: ["abi", "evm.bytecode.object"] } },
} as const;

export interface CompiledContract {
  readonly abi: Abi;
  /** What deploys it when the constructor's arguments follow. */
  readonly bytecode: `0x${string}`;
}

interface Diagnostic {
  readonly severity: "error" | "warning" | "info";
  readonly formattedMessage: string;
}

interface Output {
  readonly errors?: readonly Diagnostic[];
  readonly contracts?: Record<string, Record<string, { abi: Abi; evm: { bytecode: { object: string } } }>>;
}

/** The anchoring contract. @throws Error with the compiler's messages when it does not compile, or warns */
export async function compileAnchor(): Promise<CompiledContract> {
  const sources = Object.fromEntries(
    readdirSync(join(ROOT, SOURCES))
      .filter((name) => name.endsWith(".sol"))
      .toSorted()
      .map((name) => [`${SOURCES}/${name}`, { content: readFileSync(join(ROOT, SOURCES, name), "utf8") }]),
  );
  const input = JSON.stringify({ language: "Solidity", sources, settings: SETTINGS });
  const kept = join(CACHE, `${hashOf(input, versionOf(COMPILER), versionOf(LIBRARY))}.json`);
  return readKept(kept) ?? keep(kept, await compile(input));
}

/** In a process of its own: the compiler takes over what happens to unhandled rejections in the process that loads it. */
async function compile(input: string): Promise<CompiledContract> {
  const program = join(ROOT, SOURCES, "solc.mjs");
  const solc = spawn(process.execPath, [program, "--standard-json"], { cwd: ROOT, stdio: ["pipe", "pipe", "inherit"] });
  const ended = once(solc, "exit");
  solc.stdin.end(input);
  const output = JSON.parse(await text(solc.stdout)) as Output;
  await ended;
  const complaints = (output.errors ?? []).filter(({ severity }) => severity !== "info");
  const contract = output.contracts?.[`${SOURCES}/${CONTRACT}.sol`]?.[CONTRACT];
  if (complaints.length > 0 || contract === undefined) {
    throw new Error(complaints.map(({ formattedMessage }) => formattedMessage).join("\n"));
  }
  return { abi: contract.abi, bytecode: `0x${contract.evm.bytecode.object}` };
}

function readKept(path: string): CompiledContract | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as CompiledContract;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** Written beside and moved, so that another process never reads half of it. */
function keep(path: string, compiled: CompiledContract): CompiledContract {
  mkdirSync(CACHE, { recursive: true });
  const part = `${path}.${process.pid}`;
  writeFileSync(part, JSON.stringify(compiled));
  renameSync(part, path);
  return compiled;
}

function versionOf(packageName: string): string {
  const path = join(ROOT, "node_modules", packageName, "package.json");
  return (JSON.parse(readFileSync(path, "utf8")) as { version: string }).version;
}

function hashOf(...parts: string[]): string {
  return createHash("sha256").update(parts.join("\n")).digest("hex");
}
