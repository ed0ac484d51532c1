import { z } from "zod";
import { useLogLevel } from "./log.ts";
import { type LogLevel, logLevelOf } from "./log-level.ts";
import type { Tracing } from "./open-span.ts";
import { useTracing } from "./spans.ts";
import { observeVariables } from "./variables.ts";

const variables = z.object(observeVariables);

/** What is logged and traced. */
export interface Observing {
  readonly level: LogLevel;
  readonly tracing: Tracing | null;
}

const known = new WeakMap<object, Observing>();

/**
 * Takes from the deployment's variables what it logs and traces. To be called by every entry of an isolate: they are read
 * once. Wrong ones count as absent: reading the settings refuses them.
 */
export function observeAs(env: object): Observing {
  const observing = known.get(env) ?? {
    level: logLevelOf(env as Readonly<Record<string, unknown>>),
    tracing: tracingOf(env),
  };
  known.set(env, observing);
  useLogLevel(observing.level);
  useTracing(observing.tracing);
  return observing;
}

/** Null where spans are sent nowhere. */
function tracingOf(env: object): Tracing | null {
  const given = Object.entries(env).filter(([, value]) => typeof value === "string" && value !== "");
  const { data } = variables.safeParse(Object.fromEntries(given));
  if (data?.OTEL_EXPORTER_OTLP_ENDPOINT === undefined) return null;
  return {
    endpoint: data.OTEL_EXPORTER_OTLP_ENDPOINT,
    headers: data.OTEL_EXPORTER_OTLP_HEADERS,
    serviceName: data.OTEL_SERVICE_NAME,
    sampleRate: data.OTEL_SAMPLE_RATE,
  };
}
