import type { StorableEvent } from "../../../src/stream/messages.ts";
import { canonicalJson, newUuidV7, ZERO_32 } from "../../../src/ves/index.ts";
import type { Fact } from "../../lib/signer.ts";

const AGENT = "0d4b1c0e-5a7f-4c53-9a53-3f0c6e0c2a11";

/** An event as the Worker hands it to the stream after verification. Hash and signature are random: nobody looks at them. */
export function checkedEvent(fact: Fact, orderedId = false): StorableEvent {
  return {
    envelope: {
      ves_version: 2,
      event_id: orderedId ? risingId() : crypto.randomUUID(),
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
    payload: canonicalJson(fact.payload),
    payloadIntact: true,
    signingHash: randomBytes(32),
    rejection: null,
  };
}

let lastTime = 0;

/** The clock stands still in workerd while code runs, so it is advanced by hand. */
function risingId(): string {
  lastTime = Math.max(Date.now(), lastTime + 1);
  return newUuidV7(lastTime);
}

function randomBytes(length: number): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(length));
}
