import { z } from "zod";
import { UsageError } from "../../../scripts/lib/usage.ts";
import { type JsonValue, parseJson, VesError } from "../../../src/ves/index.ts";
import type { AgentEvent } from "../draft.ts";

/** An event that is to be recorded, or why its line is none. */
export interface EventLine {
  /** From 1 on. */
  readonly line: number;
  readonly event: AgentEvent | Error;
}

const eventForm = z.strictObject({
  entityType: z.string(),
  entityId: z.string(),
  eventType: z.string(),
  payload: z.custom<JsonValue>((value) => value !== undefined, "is missing"),
  createdAt: z.string().exactOptional(),
  eventId: z.string().exactOptional(),
  commandId: z.string().exactOptional(),
  baseVersion: z.union([z.literal("current"), z.int().min(0)]).exactOptional(),
});

/** The events of a text with one in each line, as JSON; empty lines are left out. */
export function readEventLines(text: string): EventLine[] {
  return text.split(/\r?\n/).flatMap((content, index) => {
    return content.trim() === "" ? [] : [{ line: index + 1, event: eventOf(content) }];
  });
}

function eventOf(content: string): AgentEvent | Error {
  try {
    const parsed = eventForm.safeParse(parseJson(content));
    if (parsed.success) return parsed.data;
    const [issue] = parsed.error.issues;
    return new Error([...(issue?.path ?? []), issue?.message].join(": "));
  } catch (error) {
    if (error instanceof VesError) return new Error(`no JSON: ${error.message}`);
    throw error;
  }
}

/** @throws UsageError */
export function readPayload(text: string): JsonValue {
  try {
    return parseJson(text);
  } catch (error) {
    if (error instanceof VesError) throw new UsageError(`The payload is no JSON: ${error.message}.`);
    throw error;
  }
}

/** @throws UsageError */
export function readBaseVersion(text: string | undefined): number | "current" | undefined {
  if (text === undefined || text === "current") return text;
  const version = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(version)) return version;
  throw new UsageError(`--base-version takes a number or current, not ${JSON.stringify(text)}.`);
}
