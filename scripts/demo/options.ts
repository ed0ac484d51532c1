import { parseOptions, readCount, serverUrl } from "../lib/usage.ts";

export const HELP = `Usage: npm run demo -- [options]

Plays a day of a shop against a sequencer: three agents sign events, push them over a bad connection, and everything
that comes back is verified.

  --url URL      the sequencer; SEQUENCER_URL
  --key KEY      an API key of its administrator; SEQUENCER_API_KEY
  --rpc-url URL  a node of the chain on which the sequencer anchors; L2_RPC_URL
  --events N     events that end up in the log, 100 to 100000; 2000 when not given
  --seed TEXT    another seed gives another day; 1 when not given
  --json         print the summary as JSON and nothing else
  --help         print this

Without a URL the server of \`npm start\` is used. If there is none, one is started for the demo and removed after it.
Where its batches are anchored, the demo waits for that, and asks the contract itself for an event.
`;

const MIN_EVENTS = 100;
const MAX_EVENTS = 100_000;
const DEFAULT_EVENTS = 2_000;

export interface DemoOptions {
  /** Without a slash at the end. */
  readonly url: string | undefined;
  readonly key: string | undefined;
  readonly rpcUrl: string | undefined;
  readonly events: number;
  readonly seed: string;
  readonly json: boolean;
  readonly help: boolean;
}

/** @throws UsageError */
export function readOptions(args: string[], env: Readonly<Record<string, string | undefined>>): DemoOptions {
  const values = parseOptions(args, {
    url: { type: "string" },
    key: { type: "string" },
    "rpc-url": { type: "string" },
    events: { type: "string" },
    seed: { type: "string" },
    json: { type: "boolean" },
    help: { type: "boolean", short: "h" },
  });
  const url = values.url ?? (env["SEQUENCER_URL"] || undefined);
  return {
    url: url === undefined ? undefined : serverUrl(url),
    key: values.key ?? (env["SEQUENCER_API_KEY"] || undefined),
    rpcUrl: values["rpc-url"] ?? (env["L2_RPC_URL"] || undefined),
    events: values.events === undefined ? DEFAULT_EVENTS : readCount("--events", values.events, MIN_EVENTS, MAX_EVENTS),
    seed: values.seed ?? "1",
    json: values.json ?? false,
    help: values.help ?? false,
  };
}
