import { z } from "zod";
import { forbidden, type Principal, requirePermission } from "../access/principal.ts";
import type { Config } from "../config.ts";
import { RequestError } from "../errors.ts";
import type { StreamRef } from "../stream-ref.ts";
import { canonicalJson, type JsonValue, namesProblem, utf8, uuidField } from "../ves/index.ts";
import { type SubmittedEvent, submittedEventSchema } from "./submitted-event.ts";

/** A request that nothing speaks against as a whole: each event of it now gets its own verdict. */
export interface Submission {
  readonly stream: StreamRef;
  readonly agentId: string;
  readonly events: readonly (SubmittedEvent & { readonly payloadText: string })[];
  /** The request named no agent outside its events: its receipts are answered in the same plain form. */
  readonly isPlainForm: boolean;
}

/**
 * Canonical JSON writes numbers out, so payloads can be several times as long as they came. A request must fit one RPC
 * message of 32 MiB, where a character may take two bytes; encrypted, those that take three are no longer than they came.
 */
const MAX_REQUEST_CHARACTERS = 12 * 1024 * 1024;

export const submissionSchema = z
  .object({
    agentId: uuidField.nullish().describe("The agent that signed the events; may be left out with `source_agent`"),
    events: z
      .array(submittedEventSchema)
      .describe("Events of one stream, in the order in which they are to be numbered"),
  })
  .meta({ id: "IngestRequest" });

/**
 * Refuses unsigned events before anything else is looked at: that tells users of the older, unsigned interface what is
 * wrong, where a list of missing members would not.
 *
 * @throws RequestError SIGNATURE_REQUIRED
 */
export function requireSignatures(body: unknown): void {
  const events = isRecord(body) && Array.isArray(body["events"]) ? body["events"] : [];
  const unsigned = events.findIndex(
    (event) => isRecord(event) && (event["agent_signature"] ?? event["signature"] ?? null) === null,
  );
  if (unsigned === -1) return;
  throw new RequestError(
    "SIGNATURE_REQUIRED",
    `events.${unsigned} has no signature: only events that an agent signed are sequenced`,
    { details: [{ path: `events.${unsigned}.agent_signature`, message: "Required" }] },
  );
}

/**
 * Makes a submission of a well-formed body, or refuses the whole request; nothing is stored before this has passed.
 *
 * @throws RequestError in this order: no events, several streams, another agent's credential, several agents, no
 * permission, too many events, a name or payload out of bounds, all payloads together too long
 */
export function submissionOf(
  body: z.output<typeof submissionSchema>,
  principal: Principal,
  config: Config,
): Submission {
  const [first] = body.events;
  if (first === undefined) throw invalid("events must hold at least one event");
  const stream = { tenantId: first.envelope.tenant_id, storeId: first.envelope.store_id };
  const agentId = body.agentId ?? first.envelope.source_agent_id;

  for (const { envelope } of body.events) {
    if (envelope.tenant_id !== stream.tenantId || envelope.store_id !== stream.storeId) {
      throw invalid("All events of a request must have the same tenant_id and store_id");
    }
  }
  if (principal.agentId !== null && principal.agentId !== agentId) {
    throw forbidden(`Agent mismatch: this credential belongs to another agent than ${agentId}`);
  }
  for (const [index, { envelope }] of body.events.entries()) {
    if (envelope.source_agent_id !== agentId) {
      throw invalid(`events.${index}: source_agent_id is not the agent of the request, ${agentId}`);
    }
  }
  requirePermission(principal, "write", stream.tenantId, stream.storeId);

  if (body.events.length > config.maxEventsPerRequest) {
    throw tooLarge(`A request may hold ${config.maxEventsPerRequest} events, this one holds ${body.events.length}`);
  }
  const events = body.events.map((event, index) => ({ ...event, payloadText: payloadTextOf(event, index, config) }));
  const characters = events.reduce((length, { payloadText }) => length + payloadText.length, 0);
  if (characters > MAX_REQUEST_CHARACTERS) {
    throw tooLarge(`The payloads of a request may have ${MAX_REQUEST_CHARACTERS} characters as canonical JSON`);
  }
  return { stream, agentId, events, isPlainForm: body.agentId == null };
}

/** Canonical text of what the event carries, with its bounds checked. */
function payloadTextOf({ envelope }: SubmittedEvent, index: number, config: Config): string {
  const names = namesProblem(envelope);
  if (names !== undefined) throw invalid(`events.${index}: ${names.message}`);
  const content = envelope.payload_kind === 0 ? envelope.payload : envelope.payload_encrypted;
  if (content === undefined) {
    const member = envelope.payload_kind === 0 ? "payload" : "payload_encrypted";
    throw invalid(`events.${index}: ${member} is needed when payload_kind is ${envelope.payload_kind}`);
  }
  const text = canonicalJson(content as JsonValue);
  // A UTF-16 unit takes at most 3 bytes, so most payloads need not be encoded to know that they fit.
  const fits = text.length * 3 <= config.maxPayloadBytes || utf8(text).length <= config.maxPayloadBytes;
  if (!fits) throw tooLarge(`events.${index}: a payload may have ${config.maxPayloadBytes} bytes as canonical JSON`);
  return text;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function invalid(message: string): RequestError {
  return new RequestError("INVALID_FIELD_VALUE", message);
}

function tooLarge(message: string): RequestError {
  return new RequestError("PAYLOAD_TOO_LARGE", message);
}
