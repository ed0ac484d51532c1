import { readFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { join } from "node:path";

/** What absolute figures depend on. */
export function machineFacts(dataDirectory: string): Record<string, string> {
  return {
    cpu: `${cpus().length} x ${cpus()[0]?.model ?? "unknown"}`,
    load: `${loadavg()[0]?.toFixed(2) ?? "unknown"} (other work on this machine, average of the last minute)`,
    node: process.version,
    workerd: versionOf("workerd"),
    miniflare: versionOf("miniflare"),
    data: dataDirectory,
    time: new Date().toISOString(),
  };
}

function versionOf(name: string): string {
  const path = join(import.meta.dirname, "..", "..", "node_modules", name, "package.json");
  return (JSON.parse(readFileSync(path, "utf8")) as { version: string }).version;
}
