import { parseArgs } from "node:util";
import { isLoopback } from "./http-guard.ts";

/** The command line cannot be used; the message says why, in a sentence. */
export class CommandLineError extends Error {
  override readonly name = "CommandLineError";
}

/** What is asked for on the command line. */
export type Command =
  | { readonly kind: "help" }
  | { readonly kind: "stdio" }
  | {
      readonly kind: "http";
      readonly host: string;
      readonly port: number;
      readonly allowedHosts: readonly string[];
      /** A name under which others than this machine reach it; `undefined` when none do. */
      readonly publicName: string | undefined;
    };

const DEFAULT_HOST = "127.0.0.1";
const DEFAULT_PORT = 8090;

export const HELP = `stateset-agent-mcp: tools for a verifiable event log, over the Model Context Protocol

  stateset-agent-mcp                    serves the client at standard input and output
  stateset-agent-mcp --http             serves clients over streamable HTTP, at /mcp
    --host HOST                         where it listens, ${DEFAULT_HOST} when absent
    --port PORT                         ${DEFAULT_PORT} when absent; 0: any free one
    --allowed-host NAME                 another name that clients ask for; may be repeated
  stateset-agent-mcp --help             this text

Environment:
  STATESET_SEQUENCER_URL                where the sequencer serves
  STATESET_TENANT_ID, STATESET_STORE_ID, STATESET_AGENT_ID
                                        UUIDs of the log and of the agent
  STATESET_API_KEY or STATESET_BEARER_TOKEN
                                        what the sequencer asks for
  STATESET_ALLOWED_EVENT_TYPES          what may be recorded: names between commas; * at the end of one stands for anything.
                                        The server only reads when absent
  STATESET_AGENT_KEY_ID, VES_PRIVATE_KEY
                                        number and Ed25519 seed (64 hex digits) of the agent's key; to record
  STATESET_SEQUENCER_KEYS               public keys of the sequencer, VERSION=KEY with commas between: then no others are
                                        believed; those that it shows first when absent
  STATESET_OUTBOX                       file for what is being recorded; in memory when absent
  STATESET_MCP_TOKEN                    bearer token of clients over HTTP; needed unless only this machine reaches it
`;

/** @throws CommandLineError */
export function readCommandLine(args: readonly string[]): Command {
  const { help, http, host, port, "allowed-host": allowedHosts = [] } = parse(args);
  if (help === true) return { kind: "help" };
  if (http !== true) {
    if (host !== undefined || port !== undefined || allowedHosts.length > 0) {
      throw new CommandLineError("--host, --port and --allowed-host are for --http.");
    }
    return { kind: "stdio" };
  }
  const number = /^\d{1,5}$/.test(port ?? "") ? Number(port) : port === undefined ? DEFAULT_PORT : Infinity;
  if (number > 65_535) throw new CommandLineError("--port must be a whole number from 0 to 65535.");
  const place = host ?? DEFAULT_HOST;
  // A name beside those of this machine is a proxy's, which lets others in.
  const publicName = [place, ...allowedHosts].find((name) => !isLoopback(name));
  return { kind: "http", host: place, port: number, allowedHosts, publicName };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        help: { type: "boolean", short: "h" },
        http: { type: "boolean" },
        host: { type: "string" },
        port: { type: "string" },
        "allowed-host": { type: "string", multiple: true },
      },
    }).values;
  } catch (error) {
    const [sentence = ""] = (error as Error).message.split(/[.\n]/, 1);
    throw new CommandLineError(`${sentence}.`);
  }
}
