import { recorder } from "../observe/recorder.ts";
import type { CheckedEvent, EventOutcome } from "../stream/messages.ts";

/** What comes before the details of a reason (VES 6.3). */
const REASON = /^[a-z_]+/;

/** Counts the events of a request that was not refused as a whole. */
export function countReceived(events: number): void {
  recorder.count("sequencer_ves_events_received", {}, events);
  recorder.observe("sequencer_request_events_per_batch", {}, events);
}

/** Counts what became of them. @param warnings how many do not match their schemas, and were not refused for it */
export function countIngested(
  events: readonly { readonly event: CheckedEvent; readonly outcome: EventOutcome }[],
  warnings: number,
): void {
  const ofKind = (kind: EventOutcome["kind"]): number => events.filter(({ outcome }) => outcome.kind === kind).length;
  const reasons = events.flatMap(({ outcome }) => (outcome.kind === "rejected" ? [outcome.rejection.reason] : []));
  recorder.count("sequencer_ves_events_verified", {}, events.filter(({ event }) => event.rejection === null).length);
  recorder.count("sequencer_events_ingested", {}, ofKind("accepted"));
  recorder.count("sequencer_events_replayed", {}, ofKind("replayed"));
  recorder.count("sequencer_events_rejected", {}, reasons.length);
  for (const reason of reasons) {
    recorder.count("sequencer_event_rejections_total", { reason: REASON.exec(reason)?.[0] ?? "other" });
  }
  // With a member after it, the reason is about the envelope.
  const mismatches = reasons.filter((reason) => reason === "schema_validation").length + warnings;
  recorder.count("sequencer_errors_schema_validation", {}, mismatches);
}
