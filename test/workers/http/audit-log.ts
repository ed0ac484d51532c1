import { expect } from "vitest";
import { chainProblem, EMPTY_LOG } from "../../../src/audit/chain.ts";
import type { AuditEntry } from "../../../src/audit/entry.ts";
import { type SignedAuditHead, verifyAuditHead } from "../../../src/audit/signed-head.ts";
import { fromHex } from "../../../src/ves/index.ts";
import { call, type Reply, url } from "./harness.ts";

export const AUDIT = "/api/v1/audit";

export interface AuditAnswer {
  readonly entries: readonly AuditEntry[];
  readonly next: number | null;
  readonly head: SignedAuditHead;
}

type Query = Readonly<Record<string, string | number | undefined>>;

export function readAudit(tenantId: string, query: Query = {}, key?: string): Promise<Reply<AuditAnswer>> {
  return call("GET", url(AUDIT, { tenant_id: tenantId, ...query }), key === undefined ? {} : { key });
}

/** All entries of a tenant's log, which must be a sound chain up to a head that the sequencer has signed. */
export async function auditLog(tenantId: string): Promise<readonly AuditEntry[]> {
  const reply = await readAudit(tenantId, { limit: 1_000 });
  expect(reply.status).toBe(200);
  const { entries, next, head } = reply.body;
  expect(next).toBeNull();
  expect(problemsOf(entries, tenantId)).toEqual([]);
  const { sequence, hash } = entries.at(-1) ?? EMPTY_LOG;
  expect(head).toMatchObject({ tenant_id: tenantId, sequence, hash, key_version: 1 });
  const { body } = await call<{ keys: readonly { public_key: string }[] }>("GET", "/api/v1/sequencer/keys");
  expect(await verifyAuditHead(head, fromHex(body.keys[0]?.public_key ?? ""))).toBe(true);
  return entries;
}

/** What is wrong with each entry that does not follow on the one before it. */
function problemsOf(entries: readonly AuditEntry[], tenantId: string): string[] {
  return entries.flatMap((entry, index) => chainProblem(entries[index - 1] ?? EMPTY_LOG, entry, tenantId) ?? []);
}
