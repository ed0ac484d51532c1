import type { PayloadProblem } from "../event-schemas/run.ts";
import { shown } from "../event-schemas/shown.ts";
import type { Envelope, JsonValue, Problem } from "../ves/index.ts";
import type { EventSchema } from "./check-basis.ts";
import type { SchemaMode } from "./schema-mode.ts";

/** Problems that the message of a rejection tells. */
const TOLD = 3;

/** An event that does not match its schema and is accepted all the same. */
export interface SchemaWarning {
  readonly eventId: string;
  readonly eventType: string;
  readonly schemaId: string;
  readonly schemaVersion: number;
  readonly message: string;
}

/** The types whose schemas have to be known before these events can be checked. */
export function eventTypesToCheck(
  events: readonly { readonly envelope: Pick<Envelope, "event_type" | "payload_kind"> }[],
  mode: SchemaMode,
): string[] {
  if (mode === "disabled") return [];
  const checked = events.filter(({ envelope }) => mode === "required" || envelope.payload_kind === 0);
  return [...new Set(checked.map(({ envelope }) => envelope.event_type))];
}

/** Holds the events of one request to the schemas of their types, as far as the deployment's mode wants it. */
export class SchemaGate {
  readonly warnings: SchemaWarning[] = [];
  readonly #mode: SchemaMode;
  readonly #schemas: ReadonlyMap<string, EventSchema>;

  constructor(mode: SchemaMode, schemas: ReadonlyMap<string, EventSchema>) {
    this.#mode = mode;
    this.#schemas = schemas;
  }

  /** @param payloadText canonical JSON of what the event carries */
  problem(envelope: Envelope, payloadText: string): Problem | undefined {
    if (this.#mode === "disabled") return undefined;
    const { event_type: eventType, event_id: eventId, payload } = envelope;
    const schema = this.#schemas.get(eventType);
    if (schema === undefined) {
      if (this.#mode !== "required") return undefined;
      return { reason: "schema_validation", message: `There is no active schema for events of type ${eventType}` };
    }
    // Of an encrypted event nobody here can tell what it says.
    if (envelope.payload_kind === 1) return undefined;
    const problems = schema.validate(payload as JsonValue, payloadText.length);
    if (problems.length === 0) return undefined;
    const message = sentence(problems, eventType, schema);
    if (this.#mode !== "warn") return { reason: "schema_validation", message };
    this.warnings.push({ eventId, eventType, schemaId: schema.schemaId, schemaVersion: schema.version, message });
    return undefined;
  }
}

function sentence(problems: readonly PayloadProblem[], eventType: string, { version }: EventSchema): string {
  const told = problems
    .slice(0, TOLD)
    .map(({ path, message }) => `${path === "" ? "the payload" : shown(path)} ${message}`);
  const more = problems.length > TOLD ? `; and ${problems.length - TOLD} more` : "";
  return `Not as version ${version} of the schema of ${eventType} has it: ${told.join("; ")}${more}`;
}
