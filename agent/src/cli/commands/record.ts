import { parseUuid } from "../../../../src/ves/index.ts";
import { UsageError } from "../../../../scripts/lib/usage.ts";
import { counted } from "../../../../scripts/lib/text.ts";
import type { Recipient } from "../../encryption/index.ts";
import { command } from "../command.ts";
import { CommandError } from "../command-error.ts";
import { type EventLine, readBaseVersion, readEventLines, readPayload } from "../event-input.ts";
import { EXIT } from "../exit-codes.ts";
import { recordAll } from "../record-all.ts";
import { readInput } from "../secrets.ts";
import { NETWORK_HELP, NETWORK_OPTIONS, withAgent } from "../session.ts";
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

With --encrypt-to, payloads are encrypted to these agents' keys, which the sequencer is asked for, and
to the agent's own if it has one: nobody else can read them then.
`,
  optionalArgs: ["ENTITY_TYPE", "ENTITY_ID", "EVENT_TYPE", "PAYLOAD"],
  optionsHelp: `  --payload-file PATH   take the payload from this file, or from standard input for -
  --base-version V      the version of the entity that the event expects: a number, or current for the one
                        that the agent knows of
  --event-id UUID       the event's id; a new one when not given. An id is recorded once
  --command-id UUID     the command that it is the effect of, which has its effect once
  --created-at TIME     when it happened, RFC 3339; now when not given
  --from PATH           record the lines of this file, or of standard input for -
  --encrypt-to AGENT_ID encrypt to this agent of the tenant; may be given several times
${NETWORK_HELP}`,
  options: {
    "payload-file": { type: "string" },
    "base-version": { type: "string" },
    "event-id": { type: "string" },
    "command-id": { type: "string" },
    "created-at": { type: "string" },
    from: { type: "string" },
    "encrypt-to": { type: "string", multiple: true },
    ...NETWORK_OPTIONS,
  },
  run: async (call, options, args) => {
    const { from, "encrypt-to": agentIds = [], "api-key-file": keyFile, attempts, ...others } = options;
    const readers = agentIds.map(readAgentId);
    const events = from === undefined ? [eventOf(others, args)] : linesOf(from, others, args);
    const signal = call.interruption();
    const network = { "api-key-file": keyFile, attempts };
    const needs = { signs: true, decrypts: true, ...(readers.length === 0 ? {} : { network }) };
    const { recorded, refused } = await withAgent(call, needs, async (agent) => {
      const encryptTo = await Promise.all(readers.map((agentId) => agent.findRecipient(agentId, { signal })));
      return recordAll(agent, encryptTo.length === 0 ? events : events.map((line) => encrypted(line, encryptTo)), {
        progress: call.progress,
        signal,
      });
    });
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
function readAgentId(text: string): string {
  const id = parseUuid(text);
  if (id === undefined) throw new UsageError("--encrypt-to takes an agent's id, a UUID.");
  return id;
}

function encrypted({ line, event }: EventLine, encryptTo: readonly Recipient[]): EventLine {
  return { line, event: event instanceof Error ? event : { ...event, encryptTo } };
}

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
