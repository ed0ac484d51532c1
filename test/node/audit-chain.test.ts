import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type AuditHead, auditEntryHash, chainEntry, chainProblem, EMPTY_LOG } from "../../src/audit/chain.ts";
import { AUDIT_ACTIONS, type AuditAct, type AuditEntry } from "../../src/audit/entry.ts";
import { MAX_DETAILS_BYTES, MAX_TEXT_LENGTH, newEntry } from "../../src/audit/new-entry.ts";
import { auditHeadHash, verifyAuditHead } from "../../src/audit/signed-head.ts";
import {
  canonicalJson,
  concat,
  type JsonObject,
  sha256,
  signingKeyFromSeed,
  toHex,
  utf8,
} from "../../src/ves/index.ts";
import { SOMEBODY } from "../support/audit.ts";
import { uuid } from "../support/checked-events.ts";

const TENANT = uuid(2, 1);

const text = fc.string({ unit: "binary", maxLength: 40 });
const acts: fc.Arbitrary<AuditAct> = fc.record({
  action: fc.constantFrom(...AUDIT_ACTIONS),
  resource: fc.record({ type: fc.constantFrom("agent", "schema", "stream"), id: text }),
  storeId: fc.option(fc.constant(uuid(5, 1))),
  details: fc.dictionary(text, fc.oneof(text, fc.integer(), fc.boolean(), fc.constant(null), fc.array(text)), {
    maxKeys: 4,
  }),
});

function logOf(some: readonly AuditAct[]): AuditEntry[] {
  const log: AuditEntry[] = [];
  for (const [index, act] of some.entries()) {
    const entry = newEntry({ id: uuid(7, index), tenantId: TENANT, now: 1_790_000_000_000 + index }, SOMEBODY, act);
    log.push(chainEntry(log.at(-1) ?? EMPTY_LOG, entry));
  }
  return log;
}

/** Whether the entries are a log, and go on from the head that was seen before. */
function isSound(log: readonly AuditEntry[], seen: AuditHead): boolean {
  let head = EMPTY_LOG;
  const heads = [head];
  for (const entry of log) {
    if (chainProblem(head, entry, TENANT) !== undefined) return false;
    head = { sequence: entry.sequence, hash: entry.hash };
    heads.push(head);
  }
  return heads[seen.sequence]?.hash === seen.hash;
}

const logs = fc.array(acts, { minLength: 1, maxLength: 12 }).map(logOf);
const logWithPlace = logs.chain((log) => fc.tuple(fc.constant(log), fc.nat({ max: log.length - 1 })));
const headOf = (log: readonly AuditEntry[]): AuditHead => log.at(-1) ?? EMPTY_LOG;

describe("the chain", () => {
  test("of any log is sound, and goes on from each head that it ever had", () => {
    fc.assert(
      fc.property(logs, (log) => {
        for (const seen of [EMPTY_LOG, ...log]) expect(isSound(log, seen)).toBe(true);
      }),
    );
  });

  test("shows the alteration of any member of any entry, whether or not its hash is made anew", () => {
    const changes: readonly ((entry: AuditEntry) => AuditEntry)[] = [
      (entry) => ({ ...entry, id: uuid(8, 1) }),
      (entry) => ({ ...entry, tenant_id: uuid(2, 2) }),
      (entry) => ({ ...entry, recorded_at: "2020-01-01T00:00:00.000+00:00" }),
      (entry) => ({ ...entry, action: entry.action === "schema.deleted" ? "agent_key.revoked" : "schema.deleted" }),
      (entry) => ({ ...entry, actor: { kind: "public", agent_id: null } }),
      (entry) => ({ ...entry, actor: { ...entry.actor, agent_id: uuid(3, 9) } }),
      (entry) => ({ ...entry, credential: "another" }),
      (entry) => ({ ...entry, address: null }),
      (entry) => ({ ...entry, user_agent: "another" }),
      (entry) => ({ ...entry, request_id: "another" }),
      (entry) => ({ ...entry, resource: { ...entry.resource, id: `${entry.resource.id}x` } }),
      (entry) => ({ ...entry, store_id: uuid(5, 2) }),
      (entry) => ({ ...entry, details: { ...entry.details, added: true } }),
      (entry) => ({ ...entry, previous_hash: "11".repeat(32) }),
      (entry) => ({ ...entry, another: "member" }),
    ];
    fc.assert(
      fc.property(logWithPlace, fc.constantFrom(...changes), fc.boolean(), ([log, at], change, isHashedAnew) => {
        const original = log[at] as AuditEntry;
        const changed = change(original);
        const { hash, ...rest } = changed;
        const forged = log.with(at, isHashedAnew ? { ...rest, hash: auditEntryHash(rest) } : changed);
        expect(isSound(forged, headOf(log))).toBe(false);
      }),
    );
  });

  test("shows a deletion, an insertion and any other order", () => {
    fc.assert(
      fc.property(logWithPlace, fc.nat({ max: 11 }), ([log, at], other) => {
        const seen = headOf(log);
        expect(isSound(log.toSpliced(at, 1), seen)).toBe(false);
        expect(isSound(log.toSpliced(at, 0, log[at] as AuditEntry), seen)).toBe(false);
        const to = other % log.length;
        if (to === at) return;
        const swapped = log.with(at, log[to] as AuditEntry).with(to, log[at] as AuditEntry);
        expect(isSound(swapped, seen)).toBe(false);
      }),
    );
  });

  test("made anew from some entry on, or cut off, is a log of its own: only a head that was kept shows it", () => {
    fc.assert(
      fc.property(logWithPlace, ([log, at]) => {
        const cutOff = log.slice(0, at);
        expect(isSound(cutOff, headOf(cutOff))).toBe(true);
        expect(isSound(cutOff, headOf(log))).toBe(false);
        const forged: AuditEntry[] = [...cutOff];
        for (const { sequence: _, previous_hash: __, hash: ___, ...entry } of log.slice(at)) {
          forged.push(chainEntry(forged.at(-1) ?? EMPTY_LOG, { ...entry, address: "203.0.113.1" }));
        }
        expect(isSound(forged, headOf(forged))).toBe(true);
        expect(isSound(forged, headOf(log))).toBe(false);
      }),
    );
  });

  test("is what the documentation says, byte for byte", () => {
    const act: AuditAct = {
      action: "schema.deleted",
      resource: { type: "schema", id: uuid(9, 1) },
      storeId: null,
      details: { version: 3 },
    };
    const [entry] = logOf([act]);
    if (entry === undefined) throw new Error("one entry");
    const { hash, ...rest } = entry;
    const preimage = concat(
      utf8("STATESET_AUDIT_ENTRY_V1"),
      new Uint8Array(32),
      utf8(canonicalJson(rest as unknown as JsonObject)),
    );
    expect(hash).toBe(toHex(sha256(preimage)));
    expect(entry).toEqual({
      sequence: 1,
      id: uuid(7, 0),
      tenant_id: TENANT,
      recorded_at: "2026-09-21T14:13:20.000+00:00",
      action: "schema.deleted",
      actor: { kind: "bootstrap", agent_id: null },
      credential: null,
      address: "192.0.2.1",
      user_agent: "tests",
      request_id: "request-1",
      resource: { type: "schema", id: uuid(9, 1) },
      store_id: null,
      details: { version: 3 },
      previous_hash: "00".repeat(32),
      hash,
    });
  });
});

describe("an entry", () => {
  test("is bounded, and can be hashed, whatever it is made of", () => {
    const any = fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)) });
    const long = any.map((part) => part.repeat(1 + 4_000 / (part.length + 1)));
    const context = fc.record({
      actor: fc.constant(SOMEBODY.actor),
      credential: fc.option(long),
      address: fc.option(long),
      userAgent: fc.option(long),
      requestId: fc.option(long),
    });
    fc.assert(
      fc.property(context, long, fc.dictionary(fc.string(), fc.oneof(long, fc.array(any))), (who, id, details) => {
        const act: AuditAct = { action: "stream.frozen", resource: { type: "stream", id }, storeId: null, details };
        const entry = chainEntry(EMPTY_LOG, newEntry({ id: uuid(7, 1), tenantId: TENANT, now: 0 }, who, act));
        expect(chainProblem(EMPTY_LOG, entry, TENANT)).toBeUndefined();
        const texts = [entry.credential, entry.address, entry.user_agent, entry.request_id, entry.resource.id];
        for (const bounded of texts) expect(bounded?.length ?? 0).toBeLessThanOrEqual(MAX_TEXT_LENGTH);
        expect(utf8(canonicalJson(entry.details as JsonObject)).length).toBeLessThanOrEqual(MAX_DETAILS_BYTES);
      }),
    );
  });

  test("has its details to the last byte that fits, and the hash of larger ones", () => {
    const detailsOf = (length: number): AuditEntry["details"] => {
      const details = { text: "d".repeat(length - '{"text":""}'.length) };
      const act: AuditAct = {
        action: "stream.frozen",
        resource: { type: "stream", id: "" },
        storeId: null,
        details,
      };
      return newEntry({ id: uuid(7, 1), tenantId: TENANT, now: 0 }, SOMEBODY, act).details;
    };
    expect(canonicalJson(detailsOf(MAX_DETAILS_BYTES) as JsonObject)).toHaveLength(MAX_DETAILS_BYTES);
    const large = `{"text":"${"d".repeat(MAX_DETAILS_BYTES + 1 - '{"text":""}'.length)}"}`;
    expect(detailsOf(MAX_DETAILS_BYTES + 1)).toEqual({
      details_bytes: MAX_DETAILS_BYTES + 1,
      details_sha256: toHex(sha256(utf8(large))),
    });
  });
});

test("a signed head holds for exactly what it says, and under its key alone", async () => {
  const key = await signingKeyFromSeed(new Uint8Array(32).fill(1));
  const other = await signingKeyFromSeed(new Uint8Array(32).fill(2));
  const head = {
    tenant_id: TENANT,
    sequence: 7,
    hash: "ab".repeat(32),
    signed_at: "2026-09-21T13:33:20.000+00:00",
    key_version: 1,
  };
  const signed = { ...head, signature: toHex(await key.sign(auditHeadHash(head))) };
  expect(await verifyAuditHead(signed, key.publicKey)).toBe(true);
  expect(await verifyAuditHead(signed, other.publicKey)).toBe(false);
  const changes = [
    { sequence: 6 },
    { hash: "ac".repeat(32) },
    { tenant_id: uuid(2, 2) },
    { signed_at: "2027-01-01T00:00:00.000+00:00" },
    { key_version: 2 },
    { signature: "nonsense" },
    { signature: "00".repeat(64) },
  ];
  for (const change of changes) expect(await verifyAuditHead({ ...signed, ...change }, key.publicKey)).toBe(false);
});
