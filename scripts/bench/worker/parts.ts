import { BOOTSTRAP_ADMIN } from "../../../src/access/principal.ts";
import { schemaProblem } from "../../../src/event-schemas/schema-problem.ts";
import { compileSchema } from "../../../src/event-schemas/validator.ts";
import { configOf } from "../../../src/config.ts";
import { checkEvent, type CheckContext } from "../../../src/ingest/check-event.ts";
import { SchemaGate } from "../../../src/ingest/schema-gate.ts";
import { issueReceipt } from "../../../src/ingest/receipt.ts";
import { storableEvents } from "../../../src/ingest/storable-events.ts";
import { type Submission, submissionOf, submissionSchema } from "../../../src/ingest/submission.ts";
import type { CheckedEvent, StorableEvent } from "../../../src/stream/messages.ts";
import {
  canonicalJson,
  eventSigningHash,
  fromHex,
  type JsonValue,
  parseJson,
  payloadPlainHash,
  type Receipt,
  utf8,
  verifyEd25519,
} from "../../../src/ves/index.ts";
import type { BenchObject } from "./bench-object.ts";
import type { Part } from "./messages.ts";
import { ORDER_SCHEMA } from "./order-schema.ts";

/** One pass of a part over all events of the body. */
type Pass = () => unknown;

const PLACE = { sequenceNumber: 123_456, sequencedAt: 1_790_000_000_000, receiptKeyVersion: 1 };

/** Every part with its input made ready: the output of the part before it, made by the production code. */
export async function partsOf(
  text: string,
  publicKeyHex: string,
  env: Env,
  object: { take(events: readonly StorableEvent[]): Promise<unknown> },
): Promise<Record<Part, Pass>> {
  const config = await configOf(env);
  const publicKey = fromHex(publicKeyHex);
  const bytes = utf8(text);
  const json = parseJson(text);
  const parsed = submissionSchema.parse(json);
  const submission: Submission = submissionOf(parsed, BOOTSTRAP_ADMIN, config);
  const { stream, events, agentId } = submission;
  const context = contextOf(agentId, publicKey);
  if (schemaProblem(ORDER_SCHEMA) !== undefined) throw new Error("the schema cannot be used");
  const validatePayload = compileSchema(ORDER_SCHEMA);
  const checked: CheckedEvent[] = [];
  const receipts: Receipt[] = [];
  for (const event of events) {
    const one = await checkEvent(event, context);
    if (one.rejection !== null) throw new Error(one.rejection.message);
    checked.push(one);
    const [problem] = validatePayload(event.envelope.payload as JsonValue, event.payloadText.length);
    if (problem !== undefined) throw new Error(`${problem.path} ${problem.message}`);
    receipts.push(await receiptOf(one));
  }
  const payloadKeys = config.payloadKeys(stream.tenantId);
  const storable = await storableEvents(checked, stream, payloadKeys);
  const { key } = config.receiptKeys.current;

  function receiptOf({ envelope, signingHash }: CheckedEvent): Promise<Receipt> {
    return issueReceipt(config.receiptKeys, stream, { eventId: envelope.event_id, signingHash }, PLACE);
  }

  return {
    nothing: () => undefined,
    decode: () => new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes),
    parseJson: () => parseJson(text),
    schema: () => submissionSchema.safeParse(json),
    submissionOf: () => submissionOf(parsed, BOOTSTRAP_ADMIN, config),
    canonicalJson: () => events.map(({ envelope }) => canonicalJson(envelope.payload ?? null)),
    checkEvent: () => inTurn(events, (event) => checkEvent(event, context)),
    payloadPlainHash: () => events.map(({ payloadText }) => payloadPlainHash(payloadText)),
    eventSigningHash: () => events.map(({ envelope }) => eventSigningHash(envelope)),
    verifyEd25519: () =>
      inTurn(checked, ({ envelope, signingHash }) => verifyEd25519(publicKey, signingHash, envelope.agent_signature)),
    validatePayload: () =>
      events.map(({ envelope, payloadText }) => validatePayload(envelope.payload as JsonValue, payloadText.length)),
    encryptPayload: () => storableEvents(checked, stream, payloadKeys),
    rpc: () => object.take(storable),
    issueReceipt: () => inTurn(checked, receiptOf),
    sign: () => inTurn(checked, ({ signingHash }) => key.sign(signingHash)),
    stringify: () => JSON.stringify({ receipts }),
  };
}

export type BenchStub = Pick<BenchObject, "take">;

function contextOf(agentId: string, publicKey: Uint8Array): CheckContext {
  const key = { agentId, keyId: 1, publicKey, createdAt: 0, validFrom: null, validTo: null, revokedAt: null };
  const schemas = new SchemaGate("disabled", new Map());
  return { agent: { version: 1, keys: [key], policy: null }, schemas, requireVersion2: false, now: Date.now() };
}

async function inTurn<Item>(items: readonly Item[], step: (item: Item) => Promise<unknown>): Promise<void> {
  for (const item of items) await step(item);
}
