import { describe, expect, it } from "vitest";
import { call, event, expectLog, INGEST, ingest, newAgent, type Wire, without, textOf } from "./harness.ts";

/** An event that has every optional member too. */
async function full() {
  const signer = await newAgent();
  const wire = await event(signer, { commandId: crypto.randomUUID(), baseVersion: 0 });
  return { signer, wire };
}

describe("other spellings of the same request are accepted and stored alike", () => {
  const upper = (wire: Wire, member: string): string => textOf(wire, member).toUpperCase();
  const bare = (wire: Wire, member: string): string => textOf(wire, member).slice(2);
  it.each<[string, (wire: Wire, agentId: string) => unknown]>([
    ["agent_id", (wire, agentId) => ({ agent_id: agentId, events: [wire] })],
    ["agentId and agent_id: agentId counts", (wire, agentId) => ({ agentId, agent_id: "x", events: [wire] })],
    ["unknown members", (wire, agentId) => ({ agentId, mode: "x", events: [{ ...wire, note: { a: [1] } }] })],
    [
      "place members of an earlier answer",
      (wire, agentId) => ({
        agentId,
        events: [{ ...wire, sequence_number: 77, sequenced_at: "2020-01-01T00:00:00Z" }],
      }),
    ],
    [
      "nulls for what is optional",
      (wire, agentId) => ({
        agentId,
        events: [
          {
            ...wire,
            payload_encrypted: null,
            agent_signature_scheme: null,
            agent_signature_bundle: null,
            signature: null,
            source_agent: null,
          },
        ],
      }),
    ],
    [
      "hex without 0x",
      (wire, agentId) => ({
        agentId,
        events: [
          {
            ...wire,
            payload_plain_hash: bare(wire, "payload_plain_hash"),
            payload_cipher_hash: bare(wire, "payload_cipher_hash"),
            agent_signature: bare(wire, "agent_signature"),
          },
        ],
      }),
    ],
    [
      "hex in capitals",
      (wire, agentId) => ({
        agentId,
        events: [
          {
            ...wire,
            agent_signature: `0x${bare(wire, "agent_signature").toUpperCase()}`,
            payload_plain_hash: bare(wire, "payload_plain_hash").toUpperCase(),
          },
        ],
      }),
    ],
    [
      "UUIDs in capitals",
      (wire, agentId) => ({
        agentId: agentId.toUpperCase(),
        events: [
          {
            ...wire,
            event_id: upper(wire, "event_id"),
            tenant_id: upper(wire, "tenant_id"),
            command_id: upper(wire, "command_id"),
          },
        ],
      }),
    ],
    [
      "UUIDs bare, in braces, as URN",
      (wire, agentId) => ({
        agentId,
        events: [
          {
            ...wire,
            event_id: textOf(wire, "event_id").replaceAll("-", ""),
            store_id: `{${textOf(wire, "store_id")}}`,
            command_id: `urn:uuid:${textOf(wire, "command_id")}`,
          },
        ],
      }),
    ],
    [
      "without hashes",
      (wire, agentId) => ({ agentId, events: [without(without(wire, "payload_plain_hash"), "payload_cipher_hash")] }),
    ],
    ["without payload_kind", (wire, agentId) => ({ agentId, events: [without(wire, "payload_kind")] })],
    ["without agent_key_id", (wire, agentId) => ({ agentId, events: [without(wire, "agent_key_id")] })],
    [
      "source_agent for source_agent_id",
      (wire, agentId) => ({ agentId, events: [{ ...without(wire, "source_agent_id"), source_agent: agentId }] }),
    ],
    [
      "signature for agent_signature",
      (wire, agentId) => ({
        agentId,
        events: [{ ...without(wire, "agent_signature"), signature: wire["agent_signature"] }],
      }),
    ],
  ])("%s", async (_, change) => {
    const { signer, wire } = await full();
    const reply = await call("POST", INGEST, { body: change(wire, signer.agentId) });
    expect(reply.body).toMatchObject({ eventsAccepted: 1, eventsRejected: 0 });
    await expectLog(signer, [wire]);
    // All of them are the same event: the plain spelling of it is a replay.
    expect((await ingest(signer, [wire])).body).toMatchObject({
      eventsAccepted: 0,
      eventsRejected: 0,
      headSequence: 1,
    });
  });
});
