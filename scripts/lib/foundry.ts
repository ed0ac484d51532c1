import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const PLATFORMS: Partial<Record<NodeJS.Platform, string>> = { linux: "linux", darwin: "darwin", win32: "win32" };
const MACHINES: Partial<Record<NodeJS.Architecture, string>> = { x64: "amd64", arm64: "arm64" };
const EXTENSION = process.platform === "win32" ? ".exe" : "";

/** The path of a Foundry program from the package for this platform; undefined when there is none. */
export function foundryProgram(name: "anvil" | "forge"): string | undefined {
  const packageName = `@foundry-rs/${name}-${PLATFORMS[process.platform]}-${MACHINES[process.arch]}`;
  try {
    const manifest = createRequire(import.meta.url).resolve(`${packageName}/package.json`);
    return join(dirname(manifest), "bin", `${name}${EXTENSION}`);
  } catch {
    return undefined;
  }
}
