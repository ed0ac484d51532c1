import { UsageError } from "../../../../scripts/lib/usage.ts";
import { auditStore } from "../../audit.ts";
import { type Evidence, type EvidenceSettings, type EvidenceVerdict, verifyEvidence } from "../../evidence.ts";
import { keysOfHex } from "../../trust.ts";
import { counted } from "../../../../scripts/lib/text.ts";
import { type Call, command, type Told } from "../command.ts";
import { CommandError } from "../command-error.ts";
import { findConfig, hasCredentials, readConfig } from "../config.ts";
import { rpcEthCall } from "../eth-call.ts";
import { EXIT } from "../exit-codes.ts";
import { readInput } from "../secrets.ts";
import { readSequencerKeys, SEQUENCER_KEY_HELP, SEQUENCER_KEY_OPTION } from "../sequencer-keys.ts";
import { believedKeys, withAgent, withStore } from "../session.ts";
import { showWork } from "../show-work.ts";
import { coloured, columns, lines, plain } from "../text.ts";

/** Verifies a proof, or the agent's own copy of the log. */
export const verify = command({
  name: "verify",
  summary: "verify a proof, or the agent's whole copy of the log, without the sequencer",
  about: `Verifies the proof in a file, or in standard input for -, asking nobody: the event's content and
signature, the receipt, its place in the sealed batch, and the batch's state root. In an agent's
directory also that it is the batch that the agent has computed from the log itself, and with
--contract whether that contract on a chain has the batch. Keys are those that the agent believes,
or those that are given.

Without PROOF, derives the agent's copy of the log again from its events: contents, roots, the chain
of state roots, receipts.

Exit code 1 when something does not hold.
`,
  optionalArgs: ["PROOF"],
  optionsHelp: `${SEQUENCER_KEY_HELP}  --contract ADDRESS    ask this contract whether the event is in an anchored batch
  --rpc-url URL         a node of its chain; L2_RPC_URL
`,
  options: { ...SEQUENCER_KEY_OPTION, contract: { type: "string" }, "rpc-url": { type: "string" } },
  run: async (call, options, [path]) => {
    const given = readSequencerKeys(options["sequencer-key"]);
    const anchor = anchorOf(call, options.contract, options["rpc-url"]);
    if (path !== undefined) return verdictTold(await verifyProof(call, readProof(path), given, anchor));
    if (anchor !== undefined) throw new UsageError("--contract is asked about a proof: give PROOF.");
    return verifyStore(call, given);
  },
});

type Anchor = EvidenceSettings["anchor"];
type Keys = Readonly<Record<string, string>>;

/** @throws UsageError */
function anchorOf(call: Call, contract: string | undefined, rpcUrl = call.env["L2_RPC_URL"]): Anchor {
  if (contract === undefined) return undefined;
  if (!/^0x[0-9a-f]{40}$/i.test(contract)) throw new UsageError("--contract takes an address, 0x and 40 hex digits.");
  const protocol = URL.parse(rpcUrl ?? "")?.protocol;
  if (rpcUrl === undefined || hasCredentials(rpcUrl) || (protocol !== "http:" && protocol !== "https:")) {
    throw new UsageError("--contract needs --rpc-url, which begins with http:// or https:// and holds no password.");
  }
  return { contract, ethCall: rpcEthCall(rpcUrl, call.interruption()) };
}

/** Only that it is an object is looked at. @throws UsageError; CommandError MALFORMED_PROOF */
function readProof(path: string): Evidence {
  const text = readInput(path, "PROOF");
  try {
    const value = JSON.parse(text) as unknown;
    if (typeof value === "object" && value !== null) return value as Evidence;
  } catch {
    // Told below.
  }
  throw new CommandError("MALFORMED_PROOF", "PROOF is no proof: it is not a JSON object.", EXIT.unsound);
}

async function verifyProof(
  call: Call,
  evidence: Evidence,
  given: Keys | undefined,
  anchor: Anchor,
): Promise<EvidenceVerdict> {
  // Whoever is handed a proof needs no agent.
  if (given !== undefined && findConfig(call.files) === undefined) {
    return verifyEvidence(evidence, { sequencerKeys: keysOfHex(given), anchor });
  }
  const config = readConfig(call.files);
  const sequencerKeys = given ?? (await withStore(call, believed));
  return withAgent(call, { config: { ...config, sequencerKeys } }, (agent) => {
    return agent.verify(evidence, anchor === undefined ? {} : { anchor });
  });
}

/** @throws CommandError NO_SEQUENCER_KEY: nothing could be verified, and nobody is to be asked */
function believed(session: Parameters<typeof believedKeys>[0]): Keys {
  const keys = believedKeys(session);
  if (Object.keys(keys).length > 0) return keys;
  const message = "This agent knows no key of the sequencer yet: push or pull first, or give --sequencer-key.";
  throw new CommandError("NO_SEQUENCER_KEY", message, EXIT.usage);
}

function verdictTold(verdict: EvidenceVerdict): Told {
  const { valid, passed, problems } = verdict;
  return {
    json: verdict,
    text: lines(
      ...passed.map((check) => `${coloured("good", "ok")}    ${check}`),
      ...problems.map(({ check, message }) => `${coloured("bad", "fail")}  ${check}: ${plain(message)}`),
      valid ? "The proof is valid." : "The proof is NOT valid.",
    ),
    exitCode: valid ? EXIT.done : EXIT.unsound,
  };
}

function verifyStore(call: Call, given: Keys | undefined): Promise<Told> {
  return withStore(call, async (session) => {
    const { config, store } = session;
    const signal = call.interruption();
    const sequencerKeys = keysOfHex(given ?? believedKeys(session));
    let done = 0;
    const onProgress = (looked: number): void => void (done += looked);
    const work = () => auditStore(store, config, { sequencerKeys, onProgress, signal });
    const audit = await showWork(call.progress, "Verify", () => ({ done, total: 0 }), work);
    const { problems, events, batches, receipts, sealedSequence, stateRoot } = audit;
    return {
      json: { valid: problems.length === 0, ...audit },
      text: lines(
        columns([
          ["events", String(events)],
          ["batches", `${batches}, up to event ${sealedSequence}`],
          ["receipts", String(receipts)],
          ["state root", stateRoot],
        ]),
        ...problems.map((problem) => `${coloured("bad", "fail")}  ${plain(problem)}`),
        problems.length === 0 ? "All of it holds." : `${counted(problems.length, "problem")} found.`,
      ),
      exitCode: problems.length === 0 ? EXIT.done : EXIT.unsound,
    };
  });
}
