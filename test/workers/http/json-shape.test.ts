import { describe, expect, it } from "vitest";
import {
  call,
  detailsOf,
  event,
  expectError,
  expectLog,
  expectNothingStored,
  INGEST,
  ingest,
  newAgent,
  type Wire,
  without,
} from "./harness.ts";

/** An event that has every optional member too. */
async function full() {
  const signer = await newAgent();
  const wire = await event(signer, { commandId: crypto.randomUUID(), baseVersion: 0 });
  return { signer, wire };
}

async function expectUnprocessable(change: (wire: Wire, agentId: string) => unknown, path: string, message: string) {
  const { signer, wire } = await full();
  const reply = await call("POST", INGEST, { body: change(wire, signer.agentId) });
  expectError(reply, "UNPROCESSABLE", path === "" ? message : `${path}: ${message}`);
  expect(detailsOf(reply)).toContainEqual({ path, message });
  await expectNothingStored(signer);
  expect((await ingest(signer, [wire])).body).toMatchObject({ eventsAccepted: 1 });
  await expectLog(signer, [wire]);
}

const NO_OBJECT = "Invalid input: expected object, received ";
const NO_STRING = "Invalid input: expected string, received ";
const NO_UUID = "expected a UUID";

describe("422: the outer object", () => {
  it.each<[string, (wire: Wire, agentId: string) => unknown, string, string]>([
    ["a list", (wire) => [wire], "", `${NO_OBJECT}array`],
    ["a text", () => "events", "", `${NO_OBJECT}string`],
    ["null", () => null, "", `${NO_OBJECT}null`],
    ["no events", (_, agentId) => ({ agentId }), "events", "Invalid input: expected array, received undefined"],
    [
      "events null",
      (_, agentId) => ({ agentId, events: null }),
      "events",
      "Invalid input: expected array, received null",
    ],
    [
      "events an object",
      (wire, agentId) => ({ agentId, events: { 0: wire } }),
      "events",
      "Invalid input: expected array, received object",
    ],
    [
      "events a text",
      (_, agentId) => ({ agentId, events: "[]" }),
      "events",
      "Invalid input: expected array, received string",
    ],
    ["agentId a number", (wire) => ({ agentId: 7, events: [wire] }), "agentId", `${NO_STRING}number`],
    ["agentId no UUID", (wire) => ({ agentId: "me", events: [wire] }), "agentId", NO_UUID],
    ["agent_id no UUID", (wire) => ({ agent_id: "me", events: [wire] }), "agentId", NO_UUID],
    [
      "an event that is a number",
      (wire, agentId) => ({ agentId, events: [wire, 7] }),
      "events.1",
      `${NO_OBJECT}number`,
    ],
    ["an event that is null", (wire, agentId) => ({ agentId, events: [null, wire] }), "events.0", `${NO_OBJECT}null`],
    [
      "an event that is a list",
      (wire, agentId) => ({ agentId, events: [wire, [wire]] }),
      "events.1",
      `${NO_OBJECT}array`,
    ],
  ])("%s", async (_, change, path, message) => {
    await expectUnprocessable(change, path, message);
  });
});

describe("422: a member that is missing", () => {
  it.each(["event_id", "tenant_id", "store_id", "entity_type", "entity_id", "event_type", "created_at"])(
    "%s",
    async (member) => {
      const path = `events.0.${member}`;
      await expectUnprocessable(
        (wire, agentId) => ({ agentId, events: [without(wire, member)] }),
        path,
        `${NO_STRING}undefined`,
      );
    },
  );

  it("source_agent_id, when there is no source_agent either", async () => {
    const change = (wire: Wire, agentId: string): unknown => ({ agentId, events: [without(wire, "source_agent_id")] });
    await expectUnprocessable(change, "events.0.source_agent_id", "Required");
  });

  it("several at once: each is named", async () => {
    const { signer, wire } = await full();
    const reply = await ingest(signer, [wire, without(without(wire, "entity_id"), "created_at")]);
    expectError(reply, "UNPROCESSABLE", `events.1.entity_id: ${NO_STRING}undefined`);
    expect(detailsOf(reply)).toEqual([
      { path: "events.1.entity_id", message: `${NO_STRING}undefined` },
      { path: "events.1.created_at", message: `${NO_STRING}undefined` },
    ]);
    await expectNothingStored(signer);
  });

  it("in a thousand events: the answer stays short", async () => {
    const { signer, wire } = await full();
    const reply = await ingest(
      signer,
      Array.from({ length: 1000 }, () => without(wire, "entity_id")),
    );
    expectError(reply, "UNPROCESSABLE", `events.0.entity_id: ${NO_STRING}undefined`);
    expect(detailsOf(reply)).toHaveLength(20);
    await expectNothingStored(signer);
  });
});

describe("422: a member of the wrong type or form", () => {
  const HEX = "0x" + "ab".repeat(32);
  it.each<[string, unknown, string]>([
    ["event_id", 7, `${NO_STRING}number`],
    ["event_id", null, `${NO_STRING}null`],
    ["event_id", "", NO_UUID],
    ["event_id", "11111111-1111-4111-8111-11111111111", NO_UUID],
    ["event_id", "11111111-1111-4111-8111-11111111111g", NO_UUID],
    ["event_id", "1111111111114111-8111-111111111111", NO_UUID],
    ["event_id", "{11111111-1111-4111-8111-111111111111", NO_UUID],
    ["event_id", "URN:UUID:11111111-1111-4111-8111-111111111111", NO_UUID],
    ["event_id", " 11111111-1111-4111-8111-111111111111", NO_UUID],
    ["tenant_id", [], `${NO_STRING}array`],
    ["store_id", "store", NO_UUID],
    ["source_agent_id", true, `${NO_STRING}boolean`],
    ["source_agent_id", "agent", NO_UUID],
    ["command_id", "once", NO_UUID],
    ["command_id", 1, `${NO_STRING}number`],
    ["ves_version", "2", "Invalid input: expected number, received string"],
    ["ves_version", -1, "Too small: expected number to be >=0"],
    ["ves_version", 1.5, "Invalid input: expected int, received number"],
    ["ves_version", 2 ** 32, "Too big: expected number to be <=4294967295"],
    ["agent_key_id", "1", "Invalid input: expected number, received string"],
    ["agent_key_id", -1, "Too small: expected number to be >=0"],
    ["agent_key_id", 2 ** 32, "Too big: expected number to be <=4294967295"],
    ["entity_type", 7, `${NO_STRING}number`],
    ["entity_id", {}, `${NO_STRING}object`],
    ["event_type", null, `${NO_STRING}null`],
    ["created_at", 1_700_000_000, `${NO_STRING}number`],
    ["payload_kind", 2, "expected 0 or 1"],
    ["payload_kind", "0", "expected 0 or 1"],
    ["payload_kind", 0.5, "expected 0 or 1"],
    ["payload_kind", false, "expected 0 or 1"],
    ["base_version", -1, "Too small: expected number to be >=0"],
    ["base_version", 1.5, "Invalid input: expected int, received number"],
    ["base_version", 2 ** 53, "Too big: expected int to be <=9007199254740991"],
    ["base_version", "0", "Invalid input: expected number, received string"],
    ["base_version", false, "Invalid input: expected number, received boolean"],
    ["payload_plain_hash", HEX.slice(0, -1), "hex needs an even number of digits, got 63"],
    ["payload_plain_hash", HEX.slice(0, -2), "expected 64 hex digits, got 62"],
    ["payload_plain_hash", `${HEX}ab`, "expected 64 hex digits, got 66"],
    ["payload_plain_hash", `0X${HEX.slice(2)}`, "expected 64 hex digits, got 66"],
    ["payload_plain_hash", `0x${HEX}`, "expected 64 hex digits, got 66"],
    ["payload_plain_hash", `${HEX.slice(0, -1)}g`, "not hexadecimal"],
    ["payload_plain_hash", `${HEX.slice(0, -2)} a`, "not hexadecimal"],
    ["payload_plain_hash", "", "expected 64 hex digits, got 0"],
    ["payload_plain_hash", 0, `${NO_STRING}number`],
    ["payload_cipher_hash", "0x00", "expected 64 hex digits, got 2"],
    ["payload_cipher_hash", "zz".repeat(32), "not hexadecimal"],
    ["agent_signature", "0x" + "ab".repeat(63), "expected 128 hex digits, got 126"],
    ["agent_signature", "ab".repeat(65), "expected 128 hex digits, got 130"],
    ["agent_signature", "zz".repeat(64), "not hexadecimal"],
    ["agent_signature", "", "expected 128 hex digits, got 0"],
    ["agent_signature", 7, `${NO_STRING}number`],
    ["agent_signature", Array.from({ length: 64 }, () => 1), `${NO_STRING}array`],
    ["signature", "", "expected 64 bytes in hex or base64"],
    ["signature", "AAAA", "expected 64 bytes in hex or base64"],
    ["signature", "*".repeat(86), "expected 64 bytes in hex or base64"],
    ["signature", `${"A".repeat(85)}B`, "expected 64 bytes in hex or base64"],
    ["signature", `${"A".repeat(84)}+-==`, "expected 64 bytes in hex or base64"],
    ["signature", `${"A".repeat(86)}=`, "expected 64 bytes in hex or base64"],
    ["agent_signature_scheme", "ed25519", "Invalid input: expected number, received string"],
    ["agent_signature_scheme", 2 ** 31, "Too big: expected number to be <=2147483647"],
    ["agent_signature_bundle", "bundle", `${NO_OBJECT}string`],
  ])("%s: %j", async (member, value, message) => {
    const change = (wire: Wire, agentId: string): unknown => ({ agentId, events: [{ ...wire, [member]: value }] });
    await expectUnprocessable(change, `events.0.${member}`, message);
  });

  it.each<[unknown, string, string]>([
    [{ ed25519_signature: "ab" }, "ed25519_signature", "Invalid input: expected array, received string"],
    [{ ed25519_signature: [256] }, "ed25519_signature.0", "Too big: expected number to be <=255"],
    [{ ml_dsa_65_signature: [1, -1] }, "ml_dsa_65_signature.1", "Too small: expected number to be >=0"],
    [
      { ml_dsa_65_signature: Array.from({ length: 3310 }, () => 0) },
      "ml_dsa_65_signature",
      "Too big: expected array to have <=3309 items",
    ],
  ])("agent_signature_bundle (%#)", async (bundle, path, message) => {
    const change = (wire: Wire, agentId: string): unknown => ({
      agentId,
      events: [{ ...wire, agent_signature_bundle: bundle }],
    });
    await expectUnprocessable(change, `events.0.agent_signature_bundle.${path}`, message);
  });
});
