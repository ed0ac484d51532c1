import { readFileSync } from "node:fs";
import { z } from "zod";
import type { AuditEntry } from "../../src/audit/entry.ts";
import { type SignedAuditHead, verifyAuditHead } from "../../src/audit/signed-head.ts";
import { fromHex, uuidField } from "../../src/ves/index.ts";
import { SourceError } from "../fsck/log-source.ts";
import { callPatiently } from "../fsck/retry.ts";
import { ApiError, type Server } from "../lib/client.ts";

/*
 * Where an audit log is read from: the sequencer, or a file that was exported before.
 */

const PAGE = 1_000;

const hash = z.string().regex(/^[0-9a-f]{64}$/);
const headSchema = z.strictObject({
  tenant_id: uuidField,
  sequence: z.int().min(0),
  hash,
  signed_at: z.string(),
  key_version: z.int(),
  signature: z.string(),
});

/** What is checked of an entry is its hash; here is only seen to it that there is something to hash. */
const entrySchema = z.looseObject({
  sequence: z.int(),
  tenant_id: z.string(),
  previous_hash: z.string(),
  hash: z.string(),
});

interface Page {
  readonly entries: readonly AuditEntry[];
  readonly next: number | null;
  readonly head: SignedAuditHead;
}

/**
 * Reads the log from its first entry to its last.
 *
 * @param take is given each page
 * @returns the head that the sequencer states with the last page
 * @throws SourceError when the sequencer cannot be reached, or does not let us read it
 */
export async function readFromServer(
  server: Server,
  tenantId: string,
  take: (entries: readonly AuditEntry[]) => void,
): Promise<SignedAuditHead> {
  for (let from = 1; ;) {
    const query = `tenant_id=${tenantId}&from=${from}&limit=${PAGE}`;
    const page = await ask<Page>(server, `/api/v1/audit?${query}`);
    take(page.entries);
    if (page.next === null) return headSchema.parse(page.head);
    if (page.next <= from)
      throw new SourceError(`The sequencer at ${server.url} does not get on beyond entry ${from}.`);
    from = page.next;
  }
}

/** Entries of a file with one on each line. @throws SourceError */
export function readFromFile(path: string): AuditEntry[] {
  const lines = readText(path)
    .split("\n")
    .filter((line) => line !== "");
  return lines.map((line, index) => {
    const parsed = entrySchema.safeParse(jsonOrNull(line));
    if (!parsed.success) throw new SourceError(`Line ${index + 1} of ${path} is no entry of an audit log.`);
    return parsed.data as unknown as AuditEntry;
  });
}

/** A head that was kept. @throws SourceError */
export function readHead(path: string): SignedAuditHead {
  const parsed = headSchema.safeParse(jsonOrNull(readText(path)));
  if (!parsed.success) throw new SourceError(`${path} holds no head of an audit log.`);
  return parsed.data;
}

/** Why the sequencer's signature of a head does not hold, as a sentence without its full stop, or null when it does. */
export async function signatureProblem(server: Server, head: SignedAuditHead, name: string): Promise<string | null> {
  const { keys } = await ask<{ keys: readonly { key_version: number; public_key: string }[] }>(
    server,
    "/api/v1/sequencer/keys",
  );
  const key = keys.find(({ key_version: version }) => version === head.key_version);
  if (key === undefined) return `${name} is signed with key ${head.key_version}, which the sequencer does not publish`;
  if (await verifyAuditHead(head, fromHex(key.public_key, 32))) return null;
  return `the signature of ${name} does not verify under the sequencer's key ${head.key_version}`;
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new SourceError(`${path} cannot be read: ${(error as Error).message}.`, { cause: error });
  }
}

function jsonOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

async function ask<Answer>(server: Server, path: string): Promise<Answer> {
  try {
    return await callPatiently<Answer>(server, "GET", path);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    throw new SourceError(`The sequencer at ${server.url} answers ${error.message}.`, { cause: error });
  }
}
