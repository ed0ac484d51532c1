import { AgentError } from "../../errors.ts";
import type { Call } from "../command.ts";
import { CommandError, toldError } from "../command-error.ts";
import { type Config, findConfig } from "../config.ts";
import { UsageError } from "../../../../scripts/lib/usage.ts";
import { readKey } from "../key-files.ts";
import { apiOf, believedKeys, type NetworkValues, openStore, withAgent } from "../session.ts";
import type { Api } from "../../api.ts";
import { type Check, fail, type Finding, ok } from "./check.ts";
import { checkFile, checkKey, checkLog, checkPermissions } from "./local.ts";
import { checkClock, checkCredential, checkRegistration, checkSequencerKeys, reach } from "./remote.ts";
import { checkConflicts, checkQuarantine, checkUnsent } from "./work.ts";

/**
 * Looks at all of an agent. What a check builds on and is not there leaves the check out.
 *
 * @param onCheck is told of each as soon as it is done
 * @throws what nobody foresaw; AgentError ABORTED
 */
export async function examine(call: Call, network: NetworkValues, onCheck: (name: string) => void): Promise<Check[]> {
  const checks: Check[] = [];
  const note = (name: string, finding: Finding): Finding => {
    checks.push({ name, ...finding });
    onCheck(name);
    return finding;
  };
  const config = readableConfig(call, note);
  note("permissions", checkPermissions(call.files));
  if (config === undefined) return checks;
  note("key", checkKey(call.files, config));
  const isSound = note("store", checkFile(call.files)).status === "ok";
  if (isSound) await examineStore(call, config, note);
  await examineSequencer(call, config, { network, hasStore: isSound }, note);
  return checks;
}

type Note = (name: string, finding: Finding) => Finding;

function readableConfig({ files }: Call, note: Note): Config | undefined {
  try {
    const config = findConfig(files);
    const message = `${files.directory} is no agent's directory: run stateset-sync init, or give --dir`;
    note("config", config === undefined ? fail(message) : ok(`agent ${config.agentId} of ${config.url}`));
    return config;
  } catch (error) {
    note("config", failureOf(error));
    return undefined;
  }
}

async function examineStore(call: Call, config: Config, note: Note): Promise<void> {
  try {
    await withAgent(call, { config }, async (agent, session) => {
      note("log", await checkLog(session, call.interruption()));
      note("unsent", checkUnsent(agent, session));
      note("conflicts", checkConflicts(agent));
      note("quarantine", checkQuarantine(agent));
    });
  } catch (error) {
    if (error instanceof AgentError && error.code === "ABORTED") throw error;
    note("log", failureOf(error));
  }
}

async function examineSequencer(
  call: Call,
  config: Config,
  { network, hasStore }: { readonly network: NetworkValues; readonly hasStore: boolean },
  note: Note,
): Promise<void> {
  const reached = await reach(config.url, call.interruption());
  if ("status" in reached) {
    note("server", reached);
    return;
  }
  note("server", ok(`version ${reached.version} answers at ${config.url}`));
  note("clock", checkClock(reached));
  if (hasStore) note("sequencer-keys", checkSequencerKeys(reached, believedBy(call, config)));
  let api: Api;
  try {
    api = apiOf(call, config, { attempts: "2", ...network });
  } catch (error) {
    note("credential", failureOf(error));
    return;
  }
  const credential = note("credential", await checkCredential(api, config));
  if (credential.status !== "fail") note("registration", await checkRegistration(api, config, ownKey(call, config)));
}

function believedBy({ files }: Call, config: Config): Readonly<Record<number, string>> {
  const store = openStore(files);
  try {
    return believedKeys({ config, store });
  } finally {
    store.close();
  }
}

/** Hex; `undefined` when it cannot be read, which another check says. */
function ownKey({ files }: Call, { keyId }: Config): string | undefined {
  try {
    return keyId === null ? undefined : readKey(files, keyId).publicKey;
  } catch (error) {
    if (error instanceof CommandError) return undefined;
    throw error;
  }
}

/** @throws what nobody foresaw */
function failureOf(error: unknown): Finding {
  const isForeseen = error instanceof AgentError || error instanceof CommandError || error instanceof UsageError;
  const isStore = (error as NodeJS.ErrnoException).code === "ERR_SQLITE_ERROR";
  if (!isForeseen && !isStore) throw error;
  const { message, exitCode } = toldError(error);
  return fail(message, exitCode);
}
