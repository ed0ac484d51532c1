import { beforeAll, describe, expect, test } from "vitest";
import { CHECKS, type CheckName } from "../../scripts/fsck/tally.ts";
import { batch, check, event, type Finding, findings, flip, type Sources } from "../support/check-sources.ts";
import { type LooseEvent, type LooseLog, mirrorOf, soundLog } from "../support/sound-log.ts";

const EVENTS = 30;
const BATCHES = [8, 1, 12];
const SEALED = 21;

let sound: LooseLog;

beforeAll(async () => {
  sound = await soundLog(EVENTS, BATCHES);
});

/** Changes of one member of a mirrored event that follow from nothing else. Keys are names of columns. */
const CHANGED_COLUMNS: [string, (row: LooseEvent) => void, Finding[]][] = [
  ["sequenced_at", (row) => (row.sequencedAt = "2026-01-01T00:00:00.999+00:00"), []],
  ["receipt_key_version", (row) => (row.receiptKeyVersion = 1), []],
  ["entity_version", (row) => (row.entityVersion = 7), ["database entity_versions #13"]],
  ["payload", (row) => (row.payloadText = "{}"), ["database payload_hashes #13"]],
  ["event_signing_hash", (row) => flip(row.signingHash), ["database signing_hashes #13"]],
  ["signature_scheme", (row) => (row.envelope.agent_signature_scheme = 1), []],
  ["signature_bundle", (row) => (row.envelope.agent_signature_bundle = { ed25519_signature: [1] }), []],
  [
    "agent_signature",
    (row) => flip(row.envelope.agent_signature),
    ["database signatures #13", "database merkle_roots #10"],
  ],
  ...(
    [
      ["event_id", "00000000-0000-4000-8000-000000000001"],
      ["created_at", "2026-01-01T00:00:00Z"],
      ["event_type", "order.cancelled"],
      ["command_id", "00000000-0000-4000-8000-000000000001"],
      ["payload_kind", 2],
    ] as const
  ).map(([member, value]): [string, (row: LooseEvent) => void, Finding[]] => [
    member,
    (row) => Object.assign(row.envelope, { [member]: value }),
    ["database signing_hashes #13", "database signatures #13", "database merkle_roots #10"],
  ]),
  [
    "payload_plain_hash",
    (row) => flip(row.envelope.payload_plain_hash),
    [
      "database payload_hashes #13",
      "database signing_hashes #13",
      "database signatures #13",
      "database merkle_roots #10",
    ],
  ],
  ...(
    [
      ["payload_cipher_hash", new Uint8Array(32).fill(1)],
      ["source_agent_id", "00000000-0000-4000-8000-000000000001"],
      ["agent_key_id", 99],
      ["ves_version", 1],
    ] as const
  ).map(([member, value]): [string, (row: LooseEvent) => void, Finding[]] => [
    member,
    (row) => Object.assign(row.envelope, { [member]: value }),
    ["database signing_hashes #13", "database signatures #13", "database merkle_roots #10"],
  ]),
  [
    "base_version",
    (row) => (row.envelope.base_version = 5),
    [
      "database signing_hashes #13",
      "database signatures #13",
      "database entity_versions #13",
      "database merkle_roots #10",
    ],
  ],
];

describe("a mirrored event with a changed column is found", () => {
  test.each(CHANGED_COLUMNS)("%s", async (column, change, also) => {
    const report = await check({ base: sound, damage: ({ mirror }) => change(event(mirror, 13)) });
    expect(findings(report)).toEqual(["database mirror #13", ...also].toSorted(byCheck));
    const mirror = report.tallies.find((tally) => tally.source === "database" && tally.check === "mirror");
    expect(mirror?.first.map(({ member }) => member)).toEqual([column]);
  });

  test.each(["entity_type", "entity_id"] as const)("%s", async (member) => {
    const report = await check({ base: sound, damage: ({ mirror }) => (event(mirror, 21).envelope[member] = "other") });
    expect(findings(report)).toEqual([
      // Number 21 is encrypted, for its entity.
      "database payload_hashes #21",
      "database signing_hashes #21",
      "database signatures #21",
      "database entity_versions #21",
      "database merkle_roots #10",
      "database mirror #21",
    ]);
  });
});

/** Other damage to the mirror, where the log is sound. */
const MIRROR_DAMAGE: [string, (sources: Sources) => void, Finding[]][] = [
  [
    "a missing event",
    ({ mirror }) => void mirror.events.splice(20, 1),
    ["database numbers -", "database merkle_roots #10", "database mirror #21"],
  ],
  [
    "an event that the log does not have",
    ({ log, mirror }) => {
      log.events.length = SEALED;
      log.head.headSequence = SEALED;
      mirror.events.push({ ...event(mirror, 21), sequenceNumber: 22, entityVersion: 6 });
    },
    ["database numbers -", "database event_ids #22", "database mirror #22"],
  ],
  [
    "an event before its batch",
    ({ log, mirror }) => {
      const whole = mirrorOf({ ...log, head: { ...log.head, sealedSequence: 22 } });
      mirror.events = whole.events;
    },
    ["database numbers -"],
  ],
  [
    "a missing batch",
    ({ mirror }) => void mirror.batches.splice(1, 1),
    ["database batches #10", "database state_roots #10", "database mirror #9"],
  ],
  [
    "a batch that the log does not have",
    ({ log }) => {
      log.batches.splice(2, 1);
      log.head = { ...log.head, sealedSequence: 9, stateRoot: batch(log, 1).newStateRoot };
    },
    ["database mirror #10"],
  ],
  ["a batch with another id", ({ mirror }) => (batch(mirror, 1).batchId = crypto.randomUUID()), ["database mirror #9"]],
  [
    "a batch with another time",
    ({ mirror }) => (batch(mirror, 1).committedAt = "2026-01-01T00:00:00.000+00:00"),
    ["database mirror #9"],
  ],
  [
    "a batch with another Merkle root",
    ({ mirror }) => flip(batch(mirror, 1).merkleRoot),
    ["database merkle_roots #9", "database state_roots #9", "database mirror #9"],
  ],
  [
    "an agent key that is not registered",
    ({ mirror }) => mirror.agentKeys.set("nobody/1", new Uint8Array(32)),
    ["database mirror -"],
  ],
  [
    "a recorded alteration",
    ({ alterations }) => {
      alterations.push({
        table: "ves_events",
        sequenceNumber: 4,
        operation: "UPDATE",
        alteredAt: "2026-01-01T00:00:00.000+00:00",
        alteredBy: "somebody",
      });
    },
    ["database alterations #4"],
  ],
  ["a frozen stream", ({ mirror }) => (mirror.head.frozen = "rows were changed"), ["database frozen -"]],
];

describe("damage to the mirror is found", () => {
  test.each(MIRROR_DAMAGE)("%s", async (_, damage, expected) => {
    expect(findings(await check({ base: sound, damage }))).toEqual(expected);
  });
});

function byCheck(a: string, b: string): number {
  const place = (finding: string): number => CHECKS.indexOf(finding.split(" ")[1] as CheckName);
  return place(a) - place(b);
}
