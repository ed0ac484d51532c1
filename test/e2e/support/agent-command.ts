import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { bundleAgent } from "../../../scripts/lib/build-agent.ts";
import type { Server } from "../../../scripts/lib/client.ts";
import { bundleFile, collectText, type ServerProcess, startServer, tempDir } from "./processes.ts";

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
export const ANY_UUID = expect.stringMatching(UUID) as string;
export const HEX_32 = expect.stringMatching(/^[0-9a-f]{64}$/) as string;
export const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT/) as string;
export const ORDER = ["order", "ORD-1", "order.created"];

/** How a run of `stateset-sync` ended. */
export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** What a run is given beside its arguments. */
export interface Given {
  readonly env?: Readonly<Record<string, string>>;
  /** On its standard input; nothing when absent. */
  readonly input?: string;
}

/** A run that has not ended. */
export interface Running {
  readonly child: ChildProcess;
  readonly out: () => string;
  readonly ended: Promise<Ended>;
}

const said: string[] = [];
const places: string[] = [];
const secrets = new Set<string>();

let program = "";

/** Bundles the command, once before it is run; with all that it needs, as it then starts twice as fast. */
export async function bundleCommand(): Promise<void> {
  const directory = tempDir();
  await bundleAgent(directory, "bundle");
  writeFileSync(join(directory, "package.json"), '{ "type": "module" }');
  program = join(directory, "stateset-sync.js");
}

/** Bundles the command, and starts a sequencer for it that seals at once. */
export async function startCommandServer(): Promise<ServerProcess> {
  await bundleCommand();
  return startServer(await bundleFile(), tempDir(), { variables: { SEAL_MAX_AGE_MS: "100" } });
}

/** Starts `stateset-sync` in an environment that says nothing of a sequencer. */
export function start(args: readonly string[], { env = {}, input = "" }: Given = {}): Running {
  const { SEQUENCER_API_KEY, STATESET_DIR, L2_RPC_URL, FORCE_COLOR, NO_COLOR, NODE_OPTIONS, ...inherited } =
    process.env;
  const child = spawn(process.execPath, [program, ...args], { env: { ...inherited, ...env }, cwd: tempDir() });
  const [out, err] = [collectText(child.stdout), collectText(child.stderr)];
  child.stdin.end(input);
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => {
      said.push(out.text(), err.text());
      resolve({ code, out: out.text(), err: err.text() });
    });
  });
  return { child, out: out.text, ended };
}

export function run(args: readonly string[], given?: Given): Promise<Ended> {
  return start(args, given).ended;
}

/** An agent's directory, used with the command. */
export interface Place {
  readonly directory: string;
  /** @returns how it ended */
  readonly run: (...args: readonly string[]) => Promise<Ended>;
  /** Runs it with `--json`. @returns what it printed. @throws when it ended otherwise */
  readonly json: (args: readonly string[], code?: number, given?: Given) => Promise<unknown>;
}

/** A directory for an agent, which is not there yet. */
export function newPlace(): Place {
  const directory = join(tempDir(), "agent");
  places.push(directory);
  return {
    directory,
    run: (...args) => run([...args, "--dir", directory]),
    json: async (args, code = 0, given = {}) => {
      const ended = await run([...args, "--dir", directory, "--json"], given);
      expect(ended, args.join(" ")).toMatchObject({ code, err: "" });
      return JSON.parse(ended.out);
    },
  };
}

/** An agent with a registered key. @param ids of the stream, as options */
export async function newAgent({ url, apiKey }: Server, ids: readonly string[] = []): Promise<Place> {
  const place = newPlace();
  secrets.add(apiKey);
  await place.json(["init", "--url", url, "--api-key-file", "-", ...ids], 0, { input: apiKey });
  await place.json(["keys", "generate"]);
  await place.json(["keys", "register"]);
  return place;
}

/** What a run with `--json` says of an error. */
export async function errorOf(
  place: Place,
  args: readonly string[],
  code: number,
  given = {},
): Promise<[string, string]> {
  const { error } = (await place.json(args, code, given)) as { error: { code: string; message: string } };
  return [error.code, error.message];
}

export async function recordOne(place: Place, ...more: readonly string[]): Promise<string> {
  const { events } = (await place.json(["record", ...ORDER, '{"total":"42.00"}', ...more])) as {
    events: readonly { eventId: string }[];
  };
  return events[0]?.eventId ?? "";
}

/** The stream of an agent, as options of another's init. */
export function streamOf({ directory }: Place): string[] {
  const { tenantId, storeId } = JSON.parse(readFileSync(join(directory, "config.json"), "utf8"));
  return ["--tenant", tenantId, "--store", storeId];
}

export function modeOf(...path: readonly string[]): string {
  return (statSync(join(...path)).mode & 0o777).toString(8);
}

/** Something that must never be shown. */
export function secret<Text extends string>(text: Text): Text {
  secrets.add(text);
  return text;
}

/** Fails when any run so far has shown a secret: an API key, or the seed of a key, in hex or base64. */
export function expectNoSecretShown(): void {
  for (const directory of places) {
    for (const name of names(join(directory, "keys"))) {
      const { seed } = JSON.parse(readFileSync(join(directory, "keys", name), "utf8")) as { seed: string };
      const bytes = Buffer.from(seed, "hex");
      for (const form of [seed, bytes.toString("base64").slice(0, 40), bytes.toString("base64url").slice(0, 40)]) {
        secrets.add(form);
      }
    }
  }
  expect(secrets.size).toBeGreaterThan(0);
  for (const shown of secrets) expect(said.filter((text) => text.includes(shown))).toEqual([]);
}

function names(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
