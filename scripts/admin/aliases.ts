/*
 * Names that commands and options have had elsewhere, for scripts that still use them.
 */

export const COMMAND_ALIASES: Readonly<Record<string, string>> = {
  "reencrypt-events": "reencrypt",
  "backfill-ves-state-roots": "backfill-state-roots",
  "ves-commit-and-anchor": "commit-and-anchor",
  "rotate-keys": "register-agent-key",
};

const OPTION_ALIASES: Readonly<Record<string, string>> = {
  "--tenant-id": "--tenant",
  "--store-id": "--store",
  "--agent-id": "--agent",
  "--new-key-id": "--key-id",
  "--revoke-old": "--revoke-others",
};

/** The arguments with the options' present names. */
export function withPresentNames(args: readonly string[]): string[] {
  return args.map((arg) => {
    const [name = "", ...value] = arg.split("=");
    const present = Object.hasOwn(OPTION_ALIASES, name) ? OPTION_ALIASES[name] : undefined;
    return present === undefined ? arg : [present, ...value].join("=");
  });
}
