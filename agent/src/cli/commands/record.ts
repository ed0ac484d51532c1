import { UsageError } from "../../../../scripts/lib/usage.ts";
import { counted } from "../../../../scripts/lib/text.ts";
import { command } from "../command.ts";
import { CommandError } from "../command-error.ts";
import { type EventLine, readBaseVersion, readEventLines, readPayload } from "../event-input.ts";
import { EXIT } from "../exit-codes.ts";
import { recordAll } from "../record-all.ts";
import { readInput } from "../secrets.ts";
import { withAgent } from "../session.ts";
import { lines, plain } from "../text.ts";

/** Signs events and keeps them. */
export const record = command({
  name: "record",
  summary: "sign an event, or many, and keep them until they are pushed",
  about: `Signs an event and stores it; when it returns, the event is on disk. Needs no network. PAYLOAD is
JSON.

With --from, an event for each line of a file: JSON with entityType, entityId, eventType and
payload, and optionally eventId, commandId, baseVersion ("current" or a number) and createdAt. Lines
that are refused are told; the others are recorded.
`,
  optionalArgs: ["ENTITY_TYPE", "ENTITY_ID", "EVENT_TYPE", "PAYLOAD"],
  optionsHelp: `  --payload-file PATH   take the payload from this file, or from standard input for -
  --base-version V      the version of the entity that the event expects: a number, or current for the one
                        that the agent knows of
  --event-id UUID       the event's id; a new one when not given. An id is recorded once
  --command-id UUID     the command that it is the effect of, which has its effect once
  --created-at TIME     when it happened, RFC 3339; now when not given
  --from PATH           record the lines of this file, or of standard input for -
`,
  options: {
    "payload-file": { type: "string" },
    "base-version": { type: "string" },
    "event-id": { type: "string" },
    "command-id": { type: "string" },
    "created-at": { type: "string" },
    from: { type: "string" },
  },
  run: async (call, options, args) => {
    const { from, ...others } = options;
    const events = from === undefined ? [eventOf(others, args)] : linesOf(from, others, args);
    const signal = call.interruption();
    const { recorded, refused } = await withAgent(call, { signs: true }, (agent) =>
      recordAll(agent, events, { progress: call.progress, signal }),
    );
    const [only] = refused;
    if (from === undefined && only !== undefined) throw only.error;
    const told = refused.map(({ line, code, message }) => ({ line, code, message }));
    return {
      json: { events: recorded, refused: told },
      text:
        from === undefined
          ? `Recorded ${recorded[0]?.eventId}\n`
          : lines(`Recorded ${counted(recorded.length, "event")}.`),
      trouble:
        told.length === 0 ? undefined : told.map(({ line, message }) => `Line ${line}: ${plain(message)}`).join("\n"),
      exitCode: signal.aborted ? EXIT.interrupted : refused.length > 0 ? EXIT.unsound : EXIT.done,
    };
  },
});

type Options = Readonly<
  Partial<Record<"payload-file" | "base-version" | "event-id" | "command-id" | "created-at", string>>
>;

/** @throws UsageError */
function eventOf(options: Options, [entityType, entityId, eventType, payload]: readonly string[]): EventLine {
  if (entityType === undefined || entityId === undefined || eventType === undefined) {
    throw new UsageError("Give ENTITY_TYPE, ENTITY_ID and EVENT_TYPE, or --from.");
  }
  const path = options["payload-file"];
  if ((payload === undefined) === (path === undefined)) {
    throw new UsageError("Give the payload as PAYLOAD or with --payload-file, one of the two.");
  }
  const members = {
    eventId: options["event-id"],
    commandId: options["command-id"],
    createdAt: options["created-at"],
    baseVersion: readBaseVersion(options["base-version"]),
  };
  const given = Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
  const text = payload ?? readInput(path ?? "", "--payload-file");
  return { line: 1, event: { entityType, entityId, eventType, payload: readPayload(text), ...given } };
}

/** @throws UsageError; CommandError NOTHING_TO_RECORD when there is nothing to be recorded */
function linesOf(from: string, others: Options, args: readonly string[]): EventLine[] {
  if (args.length > 0 || Object.values(others).some((value) => value !== undefined)) {
    throw new UsageError("--from takes everything of an event from its line: leave the rest out.");
  }
  const events = readEventLines(readInput(from, "--from"));
  if (events.length > 0) return events;
  throw new CommandError("NOTHING_TO_RECORD", "--from: there is no line with an event.", EXIT.usage);
}
