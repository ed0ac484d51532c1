import { counted } from "../../../../scripts/lib/text.ts";
import type { Agent } from "../../agent.ts";
import { duration } from "../text.ts";
import { type Session } from "../session.ts";
import { fail, type Finding, ok, warn } from "./check.ts";

/*
 * What waits, and what was found on the way.
 */

export function checkUnsent(agent: Agent, { config, store }: Session): Finding {
  const { outbox, unanswered } = agent.status();
  if (outbox.pending === 0) {
    return outbox.rejected === 0
      ? ok("all that was recorded is sent")
      : warn(
          `${counted(outbox.rejected, "event")} were refused: record them again, corrected; stateset-sync prune --rejected removes old ones`,
        );
  }
  const query = { agentId: config.agentId, state: "pending", limit: 1 } as const;
  const [oldest] = store.transaction(config, (tables) => tables.outbox(query));
  const age = duration(Date.now() - (oldest?.recordedAt ?? Date.now()));
  const sent = unanswered === 0 ? "" : `, ${unanswered} of them sent and not answered`;
  return warn(`${counted(outbox.pending, "event")} to be sent${sent}, the oldest since ${age}: run stateset-sync push`);
}

export function checkConflicts(agent: Agent): Finding {
  const { conflict } = agent.status().outbox;
  return conflict === 0
    ? ok("there are none")
    : warn(`${counted(conflict, "event")} wait: run stateset-sync conflicts`);
}

const SHOWN = 3;

export function checkQuarantine(agent: Agent): Finding {
  const { contradiction } = agent.status();
  if (contradiction !== null) return fail(`${contradiction}. Ask the sequencer's operator`);
  const events = agent.quarantined();
  if (events.length === 0) return ok("nothing that came is unsound");
  const shown = events.slice(0, SHOWN).map(({ sequenceNumber, reason }) => `event ${sequenceNumber}: ${reason}`);
  return warn(`${counted(events.length, "event")} do not verify; ${shown.join("; ")}. Ask those who signed them`);
}
