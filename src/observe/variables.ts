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
    .meta({ form: LOG_LEVELS.join(", ") })
    .optional()
    .describe(
      "What is logged, `info` when unset (a line for each request); `npm start` sets `warn` when it is not set",
    ),
  RUST_LOG: z
    .string()
    .optional()
    .describe("The level where `LOG_LEVEL` is not set: its first directive without a target"),
  OTEL_EXPORTER_OTLP_ENDPOINT: z
    .url({ protocol: /^https?$/, error: "expected an http or https URL" })
    .meta({ form: "an http or https URL" })
    .transform((url) => url.replace(/\/+$/, ""))
    .optional()
    .describe("Receiver of traces, by OTLP over HTTP: see [observability](observability.md); none are sent when unset"),
  OTEL_EXPORTER_OTLP_HEADERS: z
    .string()
    .transform((text, context) => {
      const headers = readHeaders(text);
      if (headers !== undefined && !("" in headers)) return headers;
      context.addIssue({ code: "custom", message: "expected name=value between commas" });
      return z.NEVER;
    })
    .default({})
    .meta({
      form: "`name=value` between commas",
      description: "Headers for that receiver, such as its key",
      isSecret: true,
    }),
  OTEL_SERVICE_NAME: z.string().default("stateset-sequencer").describe("What traces call this deployment"),
  OTEL_SAMPLE_RATE: z.coerce
    .number()
    .min(0)
    .max(1)
    .meta({ form: "a number from 0 to 1" })
    .default(1)
    .describe("Part of the traces that begin here and are sent; who sends a `traceparent` decides for its own"),
};
