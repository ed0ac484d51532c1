import { currentWork, within } from "./current-work.ts";
import type { Lifetime } from "./delivery.ts";
import type { Attributes, OpenSpan, Tracing } from "./open-span.ts";
import { exportSoon, exportSpan, type SpanKind } from "./span-export.ts";
import { newSpanId, newTraceId, type TraceContext } from "./trace-context.ts";

interface SpanOptions {
  readonly name: string;
  readonly kind: SpanKind;
  readonly attributes?: Attributes;
}

/** The deployment's; null while it sends no spans anywhere. */
let deployed: Tracing | null = null;

/** Takes what the deployment's variables say. Each entry of an isolate does this before it traces. */
export function useTracing(tracing: Tracing | null): void {
  deployed = tracing;
}

/**
 * Runs `work` as a span below the one that is open. Where none is, because nothing is traced or this trace is not, it only
 * runs it.
 */
export function inSpan<T>(name: string, attributes: Attributes, work: () => Promise<T>): Promise<T> {
  const parent = currentWork()?.trace;
  if (parent === undefined) return work();
  const kind = name === "postgres" ? "client" : "internal";
  return run({ name, kind, attributes }, parent.tracing, parent, work);
}

/**
 * Runs `work` as the first span of a trace here: one that somebody else began, whose decision to record it counts, or a new
 * one. What was traced is sent when it has ended, for as long as `lifetime` lasts.
 */
export async function inTrace<T>(
  options: SpanOptions,
  parent: TraceContext | undefined,
  lifetime: Lifetime,
  work: () => Promise<T>,
): Promise<T> {
  const tracing = deployed;
  if (tracing === null || !(parent?.isSampled ?? Math.random() < tracing.sampleRate)) return work();
  try {
    return await run(options, tracing, parent, work);
  } finally {
    exportSoon(lifetime);
  }
}

/** Adds to the span that is open. */
export function annotate(attributes: Attributes): void {
  const trace = currentWork()?.trace;
  if (trace !== undefined) Object.assign(trace.attributes, attributes);
}

/** Where the open span is, to be passed on; undefined while nothing is traced. */
export function currentTrace(): TraceContext | undefined {
  const trace = currentWork()?.trace;
  return trace && { traceId: trace.traceId, spanId: trace.spanId, isSampled: true };
}

async function run<T>(
  { name, kind, attributes = {} }: SpanOptions,
  tracing: Tracing,
  parent: TraceContext | undefined,
  work: () => Promise<T>,
): Promise<T> {
  const span: OpenSpan = {
    traceId: parent?.traceId ?? newTraceId(),
    spanId: newSpanId(),
    isSampled: true,
    tracing,
    attributes: { ...attributes },
  };
  const startedAt = Date.now();
  let error: string | undefined;
  try {
    return await within({ ...currentWork(), trace: span }, work);
  } catch (thrown) {
    error = String(thrown);
    throw thrown;
  } finally {
    const { traceId, spanId, attributes: all } = span;
    const failed = typeof all["error"] === "string" ? all["error"] : error;
    const ended = { name, kind, startedAt, endedAt: Date.now(), attributes: all, error: failed };
    exportSpan({ traceId, spanId, parentSpanId: parent?.spanId, ...ended }, tracing);
  }
}
