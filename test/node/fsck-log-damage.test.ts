import { beforeAll, describe, expect, test } from "vitest";
import { batch, check, event, type Finding, findings, flip } from "../support/check-sources.ts";
import { type LooseEvent, type LooseLog, soundLog } from "../support/sound-log.ts";

const EVENTS = 30;
const BATCHES = [8, 1, 12];

let sound: LooseLog;

beforeAll(async () => {
  sound = await soundLog(EVENTS, BATCHES);
});

/** Damage to the log itself, with what it shows as. The mirror is not looked at. */
const LOG_DAMAGE: [string, (log: LooseLog) => void, Finding[]][] = [
  [
    "a missing event",
    (log) => void log.events.splice(27, 1),
    // Number 28 was of entity o3, which has no later event.
    ["log numbers #29"],
  ],
  [
    "a missing event of a sealed batch",
    (log) => void log.events.splice(11, 1),
    ["log numbers #13", "log entity_versions #22", "log merkle_roots #10"],
  ],
  ["a missing last event", (log) => void log.events.pop(), ["log numbers -"]],
  [
    "an event that stands there twice",
    (log) => log.events.splice(24, 0, { ...event(log, 24) }),
    ["log numbers #24", "log event_ids #24", "log command_ids #24", "log entity_versions #24"],
  ],
  ["two events in the wrong order", (log) => swap(log.events, 24, 25), ["log numbers #26", "log numbers #25"]],
  [
    "two events with each other's numbers",
    (log) => {
      const [a, b] = [event(log, 25), event(log, 26)];
      [a.sequenceNumber, b.sequenceNumber] = [26, 25];
      swap(log.events, 24, 25);
    },
    ["log receipts #25", "log receipts #26"],
  ],
  [
    "an event under another number",
    (log) => (event(log, 30).sequenceNumber = 31),
    ["log numbers #31", "log numbers -", "log receipts #31"],
  ],
  ["an altered payload", (log) => (event(log, 12).payloadText = '{"n":13,"text":"ü"}'), ["log payload_hashes #12"]],
  [
    "a payload that is not written canonically",
    (log) => (event(log, 12).payloadText = '{"text":"ü","n":12}'),
    ["log payload_hashes #12"],
  ],
  [
    "an altered ciphertext",
    (log) => {
      const encrypted = event(log, 14);
      encrypted.payloadText = (encrypted.payloadText as string).replace(/"tag_b64u":"./, '"tag_b64u":"_');
    },
    ["log payload_hashes #14"],
  ],
  ["an encrypted payload that is none", (log) => (event(log, 7).payloadText = '{"n":7}'), ["log payload_hashes #7"]],
  ["an encrypted payload that is no JSON", (log) => (event(log, 7).payloadText = "{"), ["log payload_hashes #7"]],
  [
    "an altered entity_type",
    (log) => (event(log, 30).envelope.entity_type = "ordeR"),
    // Its base version was that of the real entity, 5.
    ["log signatures #30", "log entity_versions #30", "log receipts #30"],
  ],
  [
    "an altered event_type in a sealed batch",
    (log) => (event(log, 11).envelope.event_type = "order.cancelled"),
    ["log signatures #11", "log receipts #11", "log merkle_roots #10"],
  ],
  [
    "an altered created_at",
    (log) => (event(log, 25).envelope.created_at = "2026-01-01T00:00:00Z"),
    ["log signatures #25", "log receipts #25"],
  ],
  [
    "a version that has no signing hash",
    (log) => (event(log, 25).envelope.ves_version = 3),
    ["log signing_hashes #25", "log signatures #25", "log receipts #25"],
  ],
  [
    "an event of another tenant",
    (log) => (event(log, 25).envelope.tenant_id = crypto.randomUUID()),
    ["log signing_hashes #25"],
  ],
  ["a flipped signature", (log) => flip(event(log, 25).envelope.agent_signature), ["log signatures #25"]],
  [
    "a flipped signature in a sealed batch",
    (log) => flip(event(log, 20).envelope.agent_signature),
    ["log signatures #20", "log merkle_roots #10"],
  ],
  [
    "a key that is not registered",
    (log) => {
      const name = `${event(log, 1).envelope.source_agent_id}/${event(log, 1).envelope.agent_key_id}`;
      log.agentKeys.delete(name);
      log.events.length = 1;
      log.batches.length = 0;
      log.head = { headSequence: 1, sealedSequence: 0, stateRoot: null, frozen: null };
    },
    ["log signatures #1"],
  ],
  [
    "a signature of a scheme that is not served",
    (log) => (event(log, 25).envelope.agent_signature_scheme = 2),
    ["log signatures #25"],
  ],
  [
    "an event id that is another's",
    (log) => (event(log, 29).envelope.event_id = event(log, 3).envelope.event_id),
    ["log event_ids #29", "log signatures #29", "log receipts #29"],
  ],
  [
    "a command that was used before, in an event whose signature does not cover it",
    (log) => (event(log, 24).envelope.command_id = event(log, 4).envelope.command_id ?? ""),
    ["log command_ids #24"],
  ],
  [
    "a wrong base version, in an event whose signature does not cover it",
    (log) => (event(log, 30).envelope.base_version = 6),
    ["log entity_versions #30"],
  ],
  ["a gap between batches", (log) => void log.batches.splice(1, 1), ["log batches #10", "log state_roots #10"]],
  [
    "batches that overlap",
    (log) => (batch(log, 2).sequenceStart = 9),
    ["log batches #9", "log merkle_roots #9", "log state_roots #9"],
  ],
  [
    "a batch that ends too early",
    (log) => {
      batch(log, 2).sequenceEnd = 20;
      batch(log, 2).leafCount = 11;
    },
    ["log batches -", "log merkle_roots #10", "log state_roots #10"],
  ],
  [
    "a batch that is listed twice",
    (log) => log.batches.push({ ...batch(log, 2) }),
    ["log batches #10", "log state_roots #10"],
  ],
  ["a batch's id that is another's", (log) => (batch(log, 2).batchId = batch(log, 0).batchId), ["log batches #10"]],
  ["a wrong depth", (log) => (batch(log, 2).treeDepth = 3), ["log batches #10"]],
  ["a wrong padded count", (log) => (batch(log, 2).paddedLeafCount = 12), ["log batches #10"]],
  ["a wrong version of the tree", (log) => (batch(log, 2).vesVersion = 2), ["log batches #10"]],
  ["a wrong leaf count", (log) => (batch(log, 1).leafCount = 2), ["log batches #9", "log state_roots #9"]],
  ["a wrong Merkle root", (log) => flip(batch(log, 1).merkleRoot), ["log merkle_roots #9", "log state_roots #9"]],
  ["a wrong previous state root", (log) => flip(batch(log, 1).prevStateRoot), ["log state_roots #9"]],
  [
    "a wrong state root, which the next batch does not follow",
    (log) => flip(batch(log, 1).newStateRoot),
    ["log state_roots #9", "log state_roots #10"],
  ],
  ["a head with another state root", (log) => flip(log.head.stateRoot), ["log state_roots -"]],
  ["a head that counts more sealed events", (log) => (log.head.sealedSequence = 25), ["log batches -"]],
  ["a receipt that is missing", (log) => (event(log, 25).receipt = null), ["log receipts #25"]],
  ["another event's receipt", (log) => (event(log, 25).receipt = event(log, 24).receipt), ["log receipts #25"]],
  [
    "a receipt with a flipped signature",
    (log) => receipt(log, 25, "sequencerSignature", "00".repeat(64)),
    ["log receipts #25"],
  ],
  ["a receipt whose signature is no hex", (log) => receipt(log, 25, "sequencerSignature", "zz"), ["log receipts #25"]],
  ["a receipt with another hash", (log) => receipt(log, 25, "receiptHash", "00".repeat(32)), ["log receipts #25"]],
  [
    "a receipt with another time",
    (log) => receipt(log, 25, "sequencedAt", "2026-01-01T00:00:00.000+00:00"),
    ["log receipts #25"],
  ],
  ["a receipt under an unpublished key", (log) => receipt(log, 25, "sequencerKeyVersion", 9), ["log receipts #25"]],
  ["a receipt without a signature", (log) => receipt(log, 25, "signatureAlg", "none"), ["log receipts #25"]],
  ["a frozen stream", (log) => (log.head.frozen = "Postgres holds another history"), ["log frozen -"]],
];

describe("damage to the log is found", () => {
  test.each(LOG_DAMAGE)("%s", async (_, damage, expected) => {
    expect(findings(await check({ base: sound, only: "log", damage: ({ log }) => damage(log) }))).toEqual(expected);
  });
});

function receipt(log: LooseLog, number: number, member: string, value: string | number): void {
  Object.assign(event(log, number).receipt ?? {}, { [member]: value });
}

function swap(events: LooseEvent[], a: number, b: number): void {
  [events[a], events[b]] = [events[b] as LooseEvent, events[a] as LooseEvent];
}
