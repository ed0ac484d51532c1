import type { CheckedEvent } from "../fsck/event-checks.ts";
import { type EncryptedPayload, type JsonValue, toWireEnvelope } from "../../src/ves/index.ts";

/** An event as a line of an export, without its end: its place, all that was signed and its content, and its receipt. */
export function eventLine({ sequenceNumber, sequencedAt, envelope, payloadText, receipt }: CheckedEvent): string {
  if (typeof payloadText !== "string") throw new Error("over HTTP every payload comes as it is");
  const content = JSON.parse(payloadText) as JsonValue;
  const whole =
    envelope.payload_kind === 1
      ? { ...envelope, payload_encrypted: content as EncryptedPayload }
      : { ...envelope, payload: content };
  return JSON.stringify({
    sequence_number: sequenceNumber,
    sequenced_at: sequencedAt,
    ...toWireEnvelope(whole),
    receipt,
  });
}
