import type { z } from "zod";
import type { SequencedEvent } from "../stream/messages.ts";
import { sequencedEnvelope } from "../stream/wire-json.ts";
import { toHex } from "../ves/index.ts";
import type { envelopeResponse, legacyEnvelopeResponse } from "./schemas.ts";

/** A sequenced event as its signed envelope plus its place. */
export function envelopeJson(event: SequencedEvent): z.output<typeof envelopeResponse> {
  return sequencedEnvelope(event);
}

/** The same under the names that the older routes gave. */
export function legacyEnvelopeJson(event: SequencedEvent): z.output<typeof legacyEnvelopeResponse> {
  return {
    ...envelopeJson(event),
    envelope_version: 1,
    payload_hash: toHex(event.envelope.payload_plain_hash),
    signature: Array.from(event.envelope.agent_signature),
  };
}
