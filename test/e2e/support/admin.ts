import { execFile } from "node:child_process";
import { join } from "node:path";
import { call, type Server } from "../../../scripts/lib/client.ts";
import type { StreamRef } from "../../../src/stream-ref.ts";
import { waitUntil } from "./processes.ts";
import { userEnvironment } from "./working-copy.ts";

const PROGRAM = join(import.meta.dirname, "..", "..", "..", "scripts", "admin.ts");

/** What a command has left behind. */
export interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs `npm run admin -- ...` without npm's own words. */
export function admin(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Outcome> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      ["--disable-warning=ExperimentalWarning", PROGRAM, ...args],
      { env: userEnvironment({ NO_COLOR: "1", ...env }) },
      (error, out, err) => resolve({ code: error === null ? 0 : Number(error.code), out, err }),
    );
  });
}

/** Options that name a server and a stream. */
export function serverOptions({ url, apiKey }: Server): string[] {
  return ["--url", url, "--api-key", apiKey];
}

export function streamOptions({ tenantId, storeId }: StreamRef): string[] {
  return ["--tenant", tenantId, "--store", storeId];
}

export interface Head {
  readonly head_sequence: number;
  readonly sealed_sequence: number;
  readonly mirrored_sequence: number;
  readonly state_root: string;
  readonly frozen: string | null;
}

export function readHead(server: Server, { tenantId, storeId }: StreamRef): Promise<Head> {
  return call(server, "GET", `/api/v1/ves/head?tenant_id=${tenantId}&store_id=${storeId}`);
}

/** Seals all that is not sealed yet as one batch, and waits until the mirror has it. */
export async function sealAndMirror(server: Server, stream: StreamRef): Promise<Head> {
  const before = await readHead(server, stream);
  if (before.sealed_sequence < before.head_sequence) {
    const range = { sequenceStart: before.sealed_sequence + 1, sequenceEnd: before.head_sequence };
    await call(server, "POST", "/api/v1/ves/commitments", { ...stream, ...range });
  }
  await waitUntil(
    async () => (await readHead(server, stream)).mirrored_sequence === before.head_sequence,
    20_000,
    "everything is mirrored",
  );
  return readHead(server, stream);
}
