import type { Conflict } from "../conflicts.ts";

/** A conflict for `--json`. */
export function conflictJson({ event, ...conflict }: Conflict) {
  const { event_type: eventType, created_at: createdAt, payload = null } = event;
  return { ...conflict, eventType, createdAt, payload };
}
