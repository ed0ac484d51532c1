/**
 * What becomes of events whose payload does not match the schema registered for their type.
 *
 * - `disabled`: nothing is checked
 * - `warn`: they are accepted, and told in the Worker's log
 * - `enforce`: they are refused; types without an active schema are not checked
 * - `required`: the same, and types without an active schema are refused, encrypted events too
 */
export type SchemaMode = "disabled" | "warn" | "enforce" | "required";

/** Every spelling of a mode, in lowercase. */
const SPELLINGS: Readonly<Record<SchemaMode, readonly string[]>> = {
  disabled: ["disabled", "off", "none", "false", "0"],
  warn: ["warn", "warnonly", "warn_only", "warning"],
  enforce: ["enforce", "on", "true", "1"],
  required: ["required", "strict", "require"],
};

export const SCHEMA_MODES = Object.keys(SPELLINGS) as SchemaMode[];

/** The mode that is meant, in any case and with blanks around it; undefined when none is. */
export function schemaModeOf(text: string): SchemaMode | undefined {
  const spelling = text.trim().toLowerCase();
  return SCHEMA_MODES.find((mode) => SPELLINGS[mode].includes(spelling));
}
