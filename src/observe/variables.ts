import { z } from "zod";
import { LOG_LEVELS, readLogLevel } from "./log-level.ts";

/** `name=value` between commas, percent-encoded, as OpenTelemetry writes headers. */
function readHeaders(text: string): Readonly<Record<string, string>> | undefined {
  const pairs = text.split(",").map((pair) => /^\s*([\w-]+)=([^\s=][^\s]*)\s*$/.exec(pair));
  try {
    return Object.fromEntries(pairs.map((match) => [match?.[1] ?? "", decodeURIComponent(match?.[2] ?? "")]));
  } catch {
    return undefined;
  }
}

/** The variables that say what a deployment tells of itself. */
export const observeVariables = {
  LOG_LEVEL: z
    .string()
    .refine((text) => readLogLevel(text) !== undefined, `expected ${LOG_LEVELS.join(", ")}`)
    .optional(),
  RUST_LOG: z.string().optional(),
  OTEL_EXPORTER_OTLP_ENDPOINT: z
    .url({ protocol: /^https?$/, error: "expected an http or https URL" })
    .transform((url) => url.replace(/\/+$/, ""))
    .optional(),
  OTEL_EXPORTER_OTLP_HEADERS: z
    .string()
    .transform((text, context) => {
      const headers = readHeaders(text);
      if (headers !== undefined && !("" in headers)) return headers;
      context.addIssue({ code: "custom", message: "expected name=value between commas" });
      return z.NEVER;
    })
    .default({}),
  OTEL_SERVICE_NAME: z.string().default("stateset-sequencer"),
  OTEL_SAMPLE_RATE: z.coerce.number().min(0).max(1).default(1),
};
