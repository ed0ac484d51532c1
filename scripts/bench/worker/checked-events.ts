import type { CheckedEvent } from "../../../src/stream/messages.ts";
import { canonicalJson, ZERO_32 } from "../../../src/ves/index.ts";
import type { Fact } from "../../lib/signer.ts";

const AGENT = "0d4b1c0e-5a7f-4c53-9a53-3f0c6e0c2a11";

/** An event as the Worker hands it to the stream after verification. Hash and signature are random: nobody looks at them. */
export function checkedEvent(fact: Fact, orderedId = false): CheckedEvent {
  return {
    envelope: {
      ves_version: 2,
      event_id: orderedId ? uuidV7() : crypto.randomUUID(),
      source_agent_id: AGENT,
      agent_key_id: 1,
      entity_type: fact.entityType,
      entity_id: fact.entityId,
      event_type: fact.eventType,
      created_at: fact.createdAt ?? "",
      payload_kind: 0,
      payload_plain_hash: randomBytes(32),
      payload_cipher_hash: ZERO_32,
      agent_signature: randomBytes(64),
      ...(fact.commandId === undefined ? {} : { command_id: fact.commandId }),
    },
    payloadText: canonicalJson(fact.payload),
    payloadIntact: true,
    signingHash: randomBytes(32),
    rejection: null,
  };
}

let lastTime = 0;

/** A UUID of version 7: 48 bits of time, which is advanced by hand while the clock stands still, then random ones. */
function uuidV7(): string {
  lastTime = Math.max(Date.now(), lastTime + 1);
  const time = lastTime.toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-7${crypto.randomUUID().slice(15)}`;
}

function randomBytes(length: number): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(length));
}
