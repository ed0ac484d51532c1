import { beforeAll, describe, expect, it } from "vitest";
import { LAG_BOUND_MS } from "../../scripts/fsck/check-stream.ts";
import { newIdIndex } from "../../scripts/fsck/id-index.ts";
import type { SourceName } from "../../scripts/fsck/log-source.ts";
import { CHECKS, type CheckName } from "../../scripts/fsck/tally.ts";
import { toRfc3339Offset, uuidBytes } from "../../src/ves/index.ts";
import { check, event, findings, flip, type Sources } from "../support/check-sources.ts";
import { type LooseLog, soundLog } from "../support/sound-log.ts";

const EVENTS = 30;
const BATCHES = [8, 1, 12];
const SEALED = 21;

let sound: LooseLog;

beforeAll(async () => {
  sound = await soundLog(EVENTS, BATCHES);
});

describe("a sound log", () => {
  it("has no differences in either source, and everything was looked at", async () => {
    const report = await check({ base: sound });
    expect(findings(report)).toEqual([]);
    expect(report).toMatchObject({ events: EVENTS, batches: BATCHES.length, warnings: [] });
    const checked = (source: SourceName): Partial<Record<CheckName, number>> =>
      Object.fromEntries(
        report.tallies.filter((tally) => tally.source === source).map((tally) => [tally.check, tally.checked]),
      );
    const commands = (end: number): number => Math.floor(end / 4);
    const of = (events: number): Partial<Record<CheckName, number>> => ({
      numbers: events,
      event_ids: events,
      command_ids: commands(events),
      payload_hashes: events,
      signing_hashes: events,
      signatures: events,
      entity_versions: events,
      batches: BATCHES.length,
      merkle_roots: BATCHES.length,
      state_roots: BATCHES.length,
      alterations: 0,
      frozen: 1,
    });
    expect(checked("log")).toEqual({ ...of(EVENTS), receipts: EVENTS, mirror: 0 });
    // Events, batches and agents' keys.
    expect(checked("database")).toEqual({ ...of(SEALED), receipts: 0, mirror: SEALED + BATCHES.length + 2 });
    expect(new Set(report.tallies.map((tally) => tally.check))).toEqual(new Set(CHECKS));
  });

  it.each(["log", "mirror"] as const)("in the %s alone", async (which) => {
    const report = await check({ base: sound, only: which });
    expect(findings(report)).toEqual([]);
    expect(report.events).toBe(which === "log" ? EVENTS : SEALED);
  });

  it("without receipts, none is asked for", async () => {
    const report = await check({ base: sound, receipts: false, damage: ({ log }) => (event(log, 3).receipt = null) });
    expect(findings(report)).toEqual([]);
  });

  it("an empty one", async () => {
    const report = await check({ base: await soundLog(0, []) });
    expect(findings(report)).toEqual([]);
    expect(report).toMatchObject({ events: 0, batches: 0 });
  });

  it("that is ahead of its mirror is only worth a warning, and only after a while", async () => {
    const behind = ({ mirror }: Sources): void => {
      mirror.events.length = 9;
      mirror.batches.length = 2;
      mirror.head.headSequence = 9;
      mirror.head.sealedSequence = 9;
    };
    const sealedAt = Date.parse(sound.batches[2]?.committedAt ?? "");
    const fresh = await check({ base: sound, damage: behind, now: sealedAt + LAG_BOUND_MS });
    expect([findings(fresh), fresh.warnings]).toEqual([[], []]);
    const stale = await check({ base: sound, damage: behind, now: sealedAt + LAG_BOUND_MS + 1 });
    expect(findings(stale)).toEqual([]);
    expect(stale.warnings).toEqual([
      `Events 10 to 21 are not in the database, though sealed since ${toRfc3339Offset(sealedAt)}.`,
    ]);
  });

  it("whose keys are not mirrored yet is only worth a warning", async () => {
    const report = await check({ base: sound, damage: ({ mirror }) => mirror.agentKeys.clear() });
    expect(findings(report)).toEqual([]);
    expect(report.warnings).toEqual(["The database lacks 2 of the tenant's 2 agent keys so far."]);
  });
});

it("keeps the first differences of a check and counts all", async () => {
  const long = await soundLog(60, []);
  const report = await check({
    base: long,
    only: "log",
    damage: ({ log }) => {
      for (const { envelope } of log.events) flip(envelope.agent_signature);
    },
  });
  const signatures = report.tallies.find((tally) => tally.check === "signatures");
  expect(signatures).toMatchObject({ checked: 60, differences: 60 });
  expect(signatures?.first.map(({ sequenceNumber }) => sequenceNumber)).toEqual(
    Array.from({ length: 20 }, (_, index) => index + 1),
  );
});

it("an index of ids finds each of very many, and no other", () => {
  const index = newIdIndex();
  const ids = Array.from({ length: 20_000 }, () => uuidBytes(crypto.randomUUID()));
  // Such as differ in one bit only, and the one that looks like a free slot.
  ids.push(...ids.slice(0, 100).map((id) => id.with(15, (id[15] ?? 0) ^ 1)), new Uint8Array(16));
  for (const [number, id] of ids.entries()) {
    expect(index.get(id)).toBeUndefined();
    index.set(id, number);
  }
  expect(ids.map((id) => index.get(id))).toEqual(ids.map((_, number) => number));
  expect(index.get(uuidBytes(crypto.randomUUID()))).toBeUndefined();
});
