import { VERSION } from "../version.ts";
import { Delivery, type Lifetime } from "./delivery.ts";
import { log } from "./log.ts";
import type { Attributes, Tracing } from "./open-span.ts";

export type SpanKind = "internal" | "server" | "client";

/** A span that has ended. */
export interface FinishedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly name: string;
  readonly kind: SpanKind;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  readonly endedAt: number;
  readonly attributes: Attributes;
  /** What failed; undefined when it went well. */
  readonly error: string | undefined;
}

/** Numbers of OTLP. */
const KINDS: Readonly<Record<SpanKind, number>> = { internal: 1, server: 2, client: 3 };
const STATUS_ERROR = 2;

/** Spans that wait: some 500 bytes each. Beyond, the newest are dropped. */
const MAX_WAITING = 2_000;
const TIMEOUT_MS = 5_000;

let waiting: FinishedSpan[] = [];
let receiver: Tracing | null = null;
const delivery = new Delivery(sendWaiting);

/** Sees to it that the span is sent within about a second, with others. */
export function exportSpan(span: FinishedSpan, tracing: Tracing): void {
  receiver = tracing;
  if (waiting.length < MAX_WAITING) waiting.push(span);
}

/** To be called when a piece of work with spans has ended. */
export function exportSoon(lifetime: Lifetime): void {
  if (waiting.length > 0) delivery.soon(lifetime);
}

async function sendWaiting(): Promise<void> {
  if (receiver === null || waiting.length === 0) return;
  const spans = waiting;
  waiting = [];
  try {
    const response = await fetch(`${receiver.endpoint}/v1/traces`, {
      method: "POST",
      headers: { ...receiver.headers, "content-type": "application/json" },
      body: JSON.stringify(otlpJson(spans, receiver.serviceName)),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    await response.body?.cancel();
    if (!response.ok) throw new Error(`it answered with status ${response.status}`);
  } catch (error) {
    waiting = [...spans, ...waiting].slice(0, MAX_WAITING);
    log.warn("sending spans failed", { error: String(error), spans: spans.length });
    throw error;
  }
}

/** The body of an OTLP/HTTP request, in its JSON form. */
export function otlpJson(spans: readonly FinishedSpan[], serviceName: string): object {
  const resource = { attributes: attributesJson({ "service.name": serviceName, "service.version": VERSION }) };
  const scopeSpans = [{ scope: { name: "stateset-sequencer", version: VERSION }, spans: spans.map(spanJson) }];
  return { resourceSpans: [{ resource, scopeSpans }] };
}

function spanJson({ traceId, spanId, parentSpanId, name, kind, startedAt, endedAt, attributes, error }: FinishedSpan) {
  return {
    traceId,
    spanId,
    ...(parentSpanId === undefined ? {} : { parentSpanId }),
    name,
    kind: KINDS[kind],
    startTimeUnixNano: nanoseconds(startedAt),
    endTimeUnixNano: nanoseconds(endedAt),
    attributes: attributesJson(attributes),
    status: error === undefined ? {} : { code: STATUS_ERROR, message: error },
  };
}

/** As a text: the number is above 2^53. */
function nanoseconds(milliseconds: number): string {
  return `${milliseconds}000000`;
}

function attributesJson(attributes: Attributes): object[] {
  return Object.entries(attributes).flatMap(([key, value]) =>
    value === null || value === undefined ? [] : [{ key, value: valueJson(value) }],
  );
}

function valueJson(value: string | number | boolean): object {
  if (typeof value === "boolean") return { boolValue: value };
  if (typeof value === "string") return { stringValue: value };
  return Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value };
}
