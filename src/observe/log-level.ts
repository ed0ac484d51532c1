/** From the most urgent down: each level holds those before it. */
export const LOG_LEVELS = ["error", "warn", "info", "debug"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

const DEFAULT: LogLevel = "info";

/**
 * The level that a deployment logs at: LOG_LEVEL, or what RUST_LOG names for everything. One that cannot be read counts as
 * the default here; reading the settings refuses it.
 */
export function logLevelOf({ LOG_LEVEL: level, RUST_LOG: directives }: Readonly<Record<string, unknown>>): LogLevel {
  return readLogLevel(level) ?? levelOfDirectives(directives) ?? DEFAULT;
}

/** The level of this name, in any case; undefined when there is none. */
export function readLogLevel(text: unknown): LogLevel | undefined {
  return LOG_LEVELS.find((level) => typeof text === "string" && level === text.trim().toLowerCase());
}

/** `info,hyper=warn` means info for everything, and something else for a part that is not here. */
function levelOfDirectives(text: unknown): LogLevel | undefined {
  if (typeof text !== "string") return undefined;
  return text
    .split(",")
    .map((directive) => (directive.trim().toLowerCase() === "trace" ? "debug" : readLogLevel(directive)))
    .find((level) => level !== undefined);
}
