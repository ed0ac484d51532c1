import { describe, expect, test } from "vitest";
import { BOOTSTRAP_ADMIN } from "../../src/access/principal.ts";
import { readConfig } from "../../src/config.ts";
import { submissionOf, submissionSchema } from "../../src/ingest/submission.ts";
import { newSigner, signEvent } from "../../scripts/lib/signer.ts";
import { uuid } from "../support/checked-events.ts";

const config = await readConfig({
  VES_SEQUENCER_SIGNING_KEY: "ab".repeat(32),
  PAYLOAD_ENCRYPTION_KEY: "cd".repeat(32),
});

/** A request of events whose payloads are one string each, of these lengths. */
async function submit(lengths: readonly number[]): Promise<number> {
  const signer = await newSigner(uuid(1, 1), uuid(2, 1));
  const [sample] = [await signEvent(signer, { entityType: "e", entityId: "1", eventType: "t", payload: "" })];
  const events = lengths.map((length) => ({ ...sample, payload: "x".repeat(length) }));
  return submissionOf(submissionSchema.parse({ events }), BOOTSTRAP_ADMIN, config).events.length;
}

describe("the size of a request", () => {
  const MIB = 1024 * 1024;

  test("one payload may have 1 MiB as canonical JSON, quotes included", async () => {
    expect(await submit([MIB - 2])).toBe(1);
    await expect(submit([MIB - 1])).rejects.toMatchObject({ code: "PAYLOAD_TOO_LARGE" });
  });

  test("all payloads together must fit the message to the stream, however they came", async () => {
    expect(await submit(Array.from({ length: 12 }, () => MIB - 2))).toBe(12);
    const tooMuch = submit([...Array.from({ length: 12 }, () => MIB - 2), 0]);
    await expect(tooMuch).rejects.toThrow("The payloads of a request may have 12582912 characters");
  });
});
