import { UsageError } from "../../../scripts/lib/usage.ts";
import { readSequencerKey } from "../sequencer-key-text.ts";

/** Keys of the sequencer that are given rather than believed on first use. */
export const SEQUENCER_KEY_OPTION = { "sequencer-key": { type: "string", multiple: true } } as const;

/** The lines of `--help` for it. */
export const SEQUENCER_KEY_HELP = `  --sequencer-key V=HEX the sequencer's public key of version V: then no others are believed;
                        may be given several times
`;

/** As hex by version; `undefined` when none is given. @throws UsageError */
export function readSequencerKeys(given: readonly string[] | undefined): Record<string, string> | undefined {
  return given === undefined ? undefined : readKeys(given, "--sequencer-key");
}

/** As hex by version. @param name what they were given as @throws UsageError */
export function readKeys(given: readonly string[], name: string): Record<string, string> {
  const keys = given.map((text) => {
    const key = readSequencerKey(text);
    if (key === undefined) throw new UsageError(`${name} takes VERSION=KEY, a number and 64 hex digits.`);
    return key;
  });
  return Object.fromEntries(keys);
}
