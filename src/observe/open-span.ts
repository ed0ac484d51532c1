import type { TraceContext } from "./trace-context.ts";

/** Where spans are sent, and which. */
export interface Tracing {
  /** Base URL of an OTLP/HTTP receiver, without a slash at the end. */
  readonly endpoint: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly serviceName: string;
  /** Of the traces that begin here, from 0 to 1. */
  readonly sampleRate: number;
}

/** What is told of a span; what is null or undefined is left out. */
export type Attributes = Readonly<Record<string, string | number | boolean | null | undefined>>;

/** A span that is open, and recorded. */
export interface OpenSpan extends TraceContext {
  readonly tracing: Tracing;
  readonly attributes: Record<string, Attributes[string]>;
}
