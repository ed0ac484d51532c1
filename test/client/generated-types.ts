import { execFile } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import openapiTypes, { astToString, type OpenAPI3 } from "openapi-typescript";

const run = promisify(execFile);

const HERE = import.meta.dirname;
const TSC = join(HERE, "..", "..", "node_modules", "typescript", "bin", "tsc");

/** Writes what the examples are typed with. Made anew from the document each time, so it is in nobody's repository. */
export async function writeTypes(document: object): Promise<void> {
  const types = astToString(await openapiTypes(document as OpenAPI3, { immutable: true }));
  mkdirSync(join(HERE, "generated"), { recursive: true });
  writeFileSync(join(HERE, "generated", "api.ts"), types);
}

/** What the compiler has against the examples as they are typed now; nothing when it has nothing. */
export async function typeErrors(): Promise<string> {
  try {
    const { stdout } = await run(process.execPath, [TSC, "--project", HERE]);
    return stdout;
  } catch (error) {
    return (error as { readonly stdout: string }).stdout;
  }
}
