import type { StorableEvent } from "../../src/stream/messages.ts";

/**
 * What a stream must answer, written as plainly as can be: the rules of VES 6.4 over arrays and maps, with nothing of
 * the implementation's queries, caches or chains.
 */
export interface LogModel {
  readonly log: StorableEvent[];
  readonly versions: Map<string, number>;
  readonly commands: Set<string>;
}

export function emptyModel(): LogModel {
  return { log: [], versions: new Map(), commands: new Set() };
}

/** One word for each event of the request: `accepted N`, `replayed N` or the reason of its rejection. */
export function modelAppend(model: LogModel, events: readonly StorableEvent[]): string[] {
  const seenEvents = new Set<string>();
  const seenCommands = new Set<string>();
  return events.map((event) => {
    const { event_id: id, command_id: command, base_version: base } = event.envelope;
    if (seenEvents.has(id)) return "duplicate_event_id";
    seenEvents.add(id);
    const place = model.log.findIndex((stored) => stored.envelope.event_id === id);
    if (place !== -1) {
      return isSame(model.log[place] as StorableEvent, event) ? `replayed ${place + 1}` : "duplicate_event_id";
    }
    if (event.rejection !== null) return event.rejection.reason;
    if (command !== undefined) {
      if (seenCommands.has(command) || model.commands.has(command)) return "duplicate_command_id";
      seenCommands.add(command);
    }
    const entity = entityName(event);
    const version = model.versions.get(entity) ?? 0;
    if (base !== undefined && base !== version) return `version_conflict: expected ${base}, actual ${version}`;
    model.log.push(event);
    model.versions.set(entity, version + 1);
    if (command !== undefined) model.commands.add(command);
    return `accepted ${model.log.length}`;
  });
}

export function entityName({ envelope }: StorableEvent): string {
  return JSON.stringify([envelope.entity_type, envelope.entity_id]);
}

function isSame(a: StorableEvent, b: StorableEvent): boolean {
  return JSON.stringify({ ...a, rejection: null }) === JSON.stringify({ ...b, rejection: null });
}
