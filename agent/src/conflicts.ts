import { type Envelope, envelopeSchema } from "../../src/ves/index.ts";
import { CONCURRENT, FOLLOWS } from "./conflict-marks.ts";
import { type Context, transaction } from "./context.ts";
import { draftAgain } from "./draft-again.ts";
import { AgentError } from "./errors.ts";
import type { Recorder } from "./record.ts";
import type { EntityRef, OutboxRow, StreamTables } from "./store/store.ts";
import { expectedVersion } from "./versions.ts";

/**
 * An own event that expects a version of its entity which is not the present one.
 *
 * - `version`: the sequencer refused it
 * - `concurrent`: it was not sent yet when an event of another agent was pulled that it does not know of
 * - `follows`: an earlier own event of the same entity is in conflict
 */
export interface Conflict extends EntityRef {
  readonly eventId: string;
  readonly kind: "version" | "concurrent" | "follows";
  /** As it was signed: an encrypted payload is not decrypted. */
  readonly event: Envelope;
  /** What it expects. */
  readonly baseVersion: number;
  /** What the agent knows of now. */
  readonly currentVersion: number;
  readonly message: string;
}

/** `rebase` says the same of the present version, under a new event id; `drop` gives it up; `manual` leaves it as it is. */
export type Resolution = "rebase" | "drop" | "manual";

/** What becomes of conflicts when the agent synchronises: one answer for all, or one for each. */
export type ConflictStrategy = Resolution | ((conflict: Conflict) => Resolution | Promise<Resolution>);

/** In the order in which they were first said. */
export function conflicts(context: Context): Conflict[] {
  return transaction(context, (tables) =>
    tables
      .outbox({ agentId: context.identity.agentId, state: "conflict" })
      .map((row) => ({ row, place: placeOf(tables, row) }))
      .toSorted((a, b) => a.place - b.place)
      .map(({ row }) => conflictOf(row, expectedVersion(tables, row))),
  );
}

/** The id of the first event that says this: what is said again, and refused again, is still before what follows on it. */
function placeOf(tables: StreamTables, row: OutboxRow): number {
  if (row.replaces === null) return row.id;
  const [replaced] = tables.outbox({ eventId: row.replaces });
  return replaced === undefined ? row.id : placeOf(tables, replaced);
}

function conflictOf(row: OutboxRow, currentVersion: number): Conflict {
  return {
    eventId: row.eventId,
    kind: row.reason === CONCURRENT ? "concurrent" : row.reason === FOLLOWS ? "follows" : "version",
    entityType: row.entityType,
    entityId: row.entityId,
    event: envelopeSchema.parse(JSON.parse(row.envelope)),
    baseVersion: row.baseVersion ?? 0,
    currentVersion,
    message: row.message ?? "",
  };
}

/**
 * Ends a conflict.
 *
 * @returns id of the event that stands in its place; null when it was dropped
 * @throws AgentError NO_CONFLICT, CANNOT_ENCRYPT_ANEW
 */
export async function resolveConflict(
  context: Context,
  recorder: Recorder,
  eventId: string,
  resolution: Exclude<Resolution, "manual">,
): Promise<string | null> {
  const row = transaction(context, (tables) => {
    const [found] = tables.outbox({ eventId });
    if (found?.state !== "conflict") {
      throw new AgentError("NO_CONFLICT", `Event ${eventId} is not in conflict`);
    }
    if (resolution === "drop") tables.update(found.id, { state: "dropped", ackedAt: Date.now() });
    return found;
  });
  if (resolution === "drop") return null;
  const envelope = envelopeSchema.parse(JSON.parse(row.envelope));
  const recorded = await recorder.record(await draftAgain(context, envelope), eventId);
  return recorded.eventId;
}

/** A conflict that could not be ended as it was to be, and why. */
export interface UnresolvedConflict {
  readonly eventId: string;
  /** CANNOT_ENCRYPT_ANEW */
  readonly error: AgentError;
}

/** What came of resolving conflicts. */
export interface ResolvedConflicts {
  readonly rebased: number;
  /** They stay in conflict. */
  readonly unresolved: readonly UnresolvedConflict[];
}

/** Ends the conflicts as the strategy says, oldest first. */
export async function resolveConflicts(
  context: Context,
  recorder: Recorder,
  strategy: ConflictStrategy,
): Promise<ResolvedConflicts> {
  let rebased = 0;
  const unresolved: UnresolvedConflict[] = [];
  for (const conflict of conflicts(context)) {
    const resolution = typeof strategy === "function" ? await strategy(conflict) : strategy;
    if (resolution === "manual") continue;
    const { eventId } = conflict;
    try {
      if ((await resolveConflict(context, recorder, eventId, resolution)) !== null) rebased++;
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      if (error.code === "CANNOT_ENCRYPT_ANEW") unresolved.push({ eventId, error });
      // Another process may have ended it meanwhile.
      else if (error.code !== "NO_CONFLICT") throw error;
    }
  }
  return { rebased, unresolved };
}
