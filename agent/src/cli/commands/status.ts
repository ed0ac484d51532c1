import { command } from "../command.ts";
import { EXIT, gravest } from "../exit-codes.ts";
import { withAgent } from "../session.ts";
import { coloured, columns, duration, lines } from "../text.ts";

/** Where the agent stands. */
export const status = command({
  name: "status",
  summary: "say where the agent stands: what is to be sent, how far it has pulled",
  about: `Says where the agent stands, by its own store. Needs no network.

Exit code 1 when the log contradicts itself, 4 when conflicts wait.
`,
  run: (call) =>
    withAgent(call, {}, (agent, { config }) => {
      const { lastSyncAt, contradiction, ...numbers } = agent.status();
      const { outbox, pulledSequence, headSequence, sealedSequence, quarantined } = numbers;
      const { version: _version, sequencerKeys: _keys, ...identity } = config;
      const since = lastSyncAt === null ? "never" : `${duration(Date.now() - lastSyncAt.getTime())} ago`;
      const states = Object.entries(outbox).filter(([state, rows]) => rows > 0 || state === "pending");
      return {
        json: { ...identity, ...numbers, contradiction, lastSyncAt: lastSyncAt?.toISOString() ?? null },
        text: lines(
          columns([
            ["sequencer", config.url],
            ["agent", `${config.agentId}, ${config.keyId === null ? "without a key" : `key ${config.keyId}`}`],
            ["events", states.map(([state, rows]) => `${rows} ${state}`).join(", ")],
            ["log", `pulled ${pulledSequence} of ${headSequence}, sealed and verified up to ${sealedSequence}`],
            ["last read", since],
          ]),
          quarantined === 0 ? null : coloured("odd", `${quarantined} in quarantine: stateset-sync doctor says why.`),
          outbox.conflict === 0 ? null : coloured("odd", "Conflicts wait: stateset-sync conflicts"),
        ),
        trouble: contradiction ?? undefined,
        exitCode: gravest([
          contradiction === null ? EXIT.done : EXIT.unsound,
          outbox.conflict > 0 ? EXIT.conflicts : EXIT.done,
        ]),
      };
    }),
});
