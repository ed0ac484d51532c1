import { toHex } from "../ves/index.ts";

/** Where in a trace something is: what a `traceparent` header says (W3C Trace Context). */
export interface TraceContext {
  /** 32 hex digits. */
  readonly traceId: string;
  /** 16 hex digits. */
  readonly spanId: string;
  /** Whether whoever began the trace records it. */
  readonly isSampled: boolean;
}

const TRACEPARENT = /^(?!ff)[\da-f]{2}-(?!0{32})([\da-f]{32})-(?!0{16})([\da-f]{16})-([\da-f]{2})(-.*)?$/;
const SAMPLED = 1;

/** Undefined for a header that says nothing that could be followed: the trace begins here then. */
export function readTraceparent(header: string | undefined): TraceContext | undefined {
  const [, traceId, spanId, flags, more] = TRACEPARENT.exec(header?.trim() ?? "") ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  // Version 00 has four parts; later ones may have more.
  if (more !== undefined && header?.trim().startsWith("00-")) return undefined;
  return { traceId, spanId, isSampled: (Number.parseInt(flags, 16) & SAMPLED) !== 0 };
}

export function newTraceId(): string {
  return toHex(crypto.getRandomValues(new Uint8Array(16)));
}

export function newSpanId(): string {
  return toHex(crypto.getRandomValues(new Uint8Array(8)));
}
