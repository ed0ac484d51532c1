import { command } from "../command.ts";
import { EXIT, gravest } from "../exit-codes.ts";
import { examine } from "../doctor/examine.ts";
import { NETWORK_HELP, NETWORK_OPTIONS } from "../session.ts";
import { coloured, lines, plain } from "../text.ts";

const TONES = { ok: "good", warn: "odd", fail: "bad" } as const;

/** Looks at everything. */
export const doctor = command({
  name: "doctor",
  summary: "look at everything, and say what is wrong and what to do",
  about: `Looks at the configuration, who may read the files, the key, the store and all that is in it, what
waits to be sent, the sequencer, its clock and its keys, the credential, and whether the agent's key
is registered.

Exit code 1 when a check fails, 3 when only the sequencer cannot be reached; a warning is no
failure.
`,
  optionsHelp: NETWORK_HELP,
  options: NETWORK_OPTIONS,
  run: async (call, network) => {
    call.progress.start("Look");
    const checks = await examine(call, network, (name) => call.progress.start(name));
    call.progress.clear();
    const codes = checks.map(({ status, exitCode }) => (status === "fail" ? (exitCode ?? EXIT.unsound) : EXIT.done));
    const width = Math.max(...checks.map(({ name }) => name.length));
    const exitCode = gravest(codes);
    return {
      json: {
        healthy: exitCode === EXIT.done,
        checks: checks.map(({ name, status, message }) => ({ name, status, message })),
      },
      text: lines(
        ...checks.map(({ name, status, message }) => {
          return `${coloured(TONES[status], status.padEnd(4))}  ${name.padEnd(width)}  ${plain(message)}`;
        }),
      ),
      exitCode,
    };
  },
});
