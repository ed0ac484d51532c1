import { expect, test } from "vitest";
import { tally } from "../../src/ingest/tally.ts";
import type { EventOutcome } from "../../src/stream/messages.ts";

/** `a5`: accepted at 5, `r5`: replayed at 5, `x`: rejected. */
function outcome(word: string): EventOutcome {
  const place = { sequenceNumber: Number(word.slice(1)), sequencedAt: 0, receiptKeyVersion: 1 };
  if (word === "x") return { kind: "rejected", rejection: { reason: "invalid_signature", message: "" }, phase: 1 };
  return word.startsWith("a") ? { kind: "accepted", place } : { kind: "replayed", place, proof: null };
}

test.each([
  ["new events", 1, "a5 a6", [2, 0, 5, 6]],
  ["new and bad events", 2, "a5 x a6", [2, 1, 5, 6]],
  ["nothing but bad events", 1, "x x", [0, 2, null, null]],
  ["a replay of version 1, as an agent needs it whose answer was lost", 1, "r5 r6 r7", [3, 0, 5, 7]],
  ["a replay of version 1 with new events right behind", 1, "r5 r6 a7", [3, 0, 5, 7]],
  ["a replay of version 1 with a bad event between", 1, "r5 x r6", [2, 1, 5, 6]],
  ["a replay of version 1 with a gap", 1, "r5 a7", [1, 0, 7, 7]],
  ["a replay of version 1 out of order", 1, "r6 r5", [0, 0, null, null]],
  ["a replay of version 2", 2, "r5 r6", [0, 0, null, null]],
  ["a replay of version 2 with new events", 2, "r5 a6", [1, 0, 6, 6]],
])("%s", (_, vesVersion, words, [accepted, rejected, sequenceStart, sequenceEnd]) => {
  const events = words.split(" ").map((word) => ({ vesVersion, outcome: outcome(word) }));
  expect(tally(events)).toEqual({ accepted, rejected, sequenceStart, sequenceEnd });
});

test("one event of version 2 is enough to count replays as nothing", () => {
  const events = ["r5", "r6"].map((word, i) => ({ vesVersion: i + 1, outcome: outcome(word) }));
  expect(tally(events).accepted).toBe(0);
});
