import { existsSync } from "node:fs";
import { serverUrl, UsageError } from "../../../../scripts/lib/usage.ts";
import { parseUuid } from "../../../../src/ves/index.ts";
import { openSqliteStore } from "../../sqlite.ts";
import { command } from "../command.ts";
import { CommandError } from "../command-error.ts";
import { type Config, findConfig, hasCredentials, writeConfig } from "../config.ts";
import { EXIT } from "../exit-codes.ts";
import {
  type AgentFiles,
  createPrivateFile,
  makePrivateDirectory,
  requirePrivate,
  writePrivateFile,
} from "../files.ts";
import { readSecret } from "../secrets.ts";
import { readSequencerKeys, SEQUENCER_KEY_HELP, SEQUENCER_KEY_OPTION } from "../sequencer-keys.ts";
import { lines } from "../text.ts";

/** Makes an agent's directory. */
export const init = command({
  name: "init",
  summary: "make an agent's directory: where its sequencer is, and who it is",
  about: `Makes the directory with the agent's configuration and its store, for nobody but you to read. Needs
no network. The same again changes nothing, and makes what is missing; another URL or another id is
refused.
`,
  optionsHelp: `  --url URL             where the sequencer serves
  --tenant UUID         the tenant; a new one when not given
  --store UUID          the store; a new one when not given
  --agent UUID          the agent; a new one when not given
  --api-key-file PATH   keep the credential that is in this file, or in standard input for -
${SEQUENCER_KEY_HELP}`,
  options: {
    url: { type: "string" },
    tenant: { type: "string" },
    store: { type: "string" },
    agent: { type: "string" },
    "api-key-file": { type: "string" },
    ...SEQUENCER_KEY_OPTION,
  },
  run: ({ files, env }, options) => {
    const given = {
      url: options.url === undefined ? undefined : readUrl(options.url),
      tenantId: readId("--tenant", options.tenant),
      storeId: readId("--store", options.store),
      agentId: readId("--agent", options.agent),
      sequencerKeys: readSequencerKeys(options["sequencer-key"]),
    };
    const path = options["api-key-file"];
    const apiKey = path === undefined ? undefined : readSecret(path, "--api-key-file");
    if (existsSync(files.directory)) requirePrivate(files.directory);
    const known = findConfig(files);
    const config = known === undefined ? newConfig(given) : sameConfig(files, known, given);
    makePrivateDirectory(files.directory);
    if (!existsSync(files.outbox)) {
      // SQLite would make it for others to read.
      createPrivateFile(files.outbox, "");
      openSqliteStore(files.outbox).close();
    }
    if (apiKey !== undefined) writePrivateFile(files.apiKey, `${apiKey}\n`);
    // The last thing: what has a configuration is complete.
    if (known === undefined) writeConfig(files, config);
    const { version: _version, ...members } = config;
    const hasApiKey = existsSync(files.apiKey);
    return {
      json: { directory: files.directory, isNew: known === undefined, ...members, hasApiKey },
      text: lines(
        `${known === undefined ? "Made" : "There is"} ${files.directory}`,
        `  sequencer  ${config.url}`,
        `  tenant     ${config.tenantId}`,
        `  store      ${config.storeId}`,
        `  agent      ${config.agentId}`,
        hasApiKey || env["SEQUENCER_API_KEY"]
          ? null
          : "It has no API key: give one with --api-key-file, or set SEQUENCER_API_KEY.",
        config.keyId === null ? "Next: stateset-sync keys generate" : null,
      ),
    };
  },
});

type Given = { readonly [Member in keyof Omit<Config, "version" | "keyId">]: Config[Member] | undefined };

/** @throws UsageError without a URL */
function newConfig({ url, tenantId, storeId, agentId, sequencerKeys }: Given): Config {
  if (url === undefined) throw new UsageError("Say where the sequencer is with --url.");
  const id = (given: string | undefined): string => given ?? crypto.randomUUID();
  const ids = { tenantId: id(tenantId), storeId: id(storeId), agentId: id(agentId) };
  return { version: 1, url, ...ids, keyId: null, ...(sequencerKeys === undefined ? {} : { sequencerKeys }) };
}

/** @throws CommandError CONFIG_DIFFERS */
function sameConfig({ config: path }: AgentFiles, known: Config, given: Given): Config {
  for (const [member, value] of Object.entries(given)) {
    const is = JSON.stringify(known[member as keyof Given]);
    if (value === undefined || JSON.stringify(value) === is) continue;
    const message = `${path} has ${member} ${is ?? "not set"}: change it there, or give another --dir.`;
    throw new CommandError("CONFIG_DIFFERS", message, EXIT.unsound);
  }
  return known;
}

/** @throws UsageError */
function readUrl(text: string): string {
  // What may hold a password is not repeated.
  if (hasCredentials(text))
    throw new UsageError("--url must not hold a name or password: --api-key-file takes a credential.");
  return serverUrl(text);
}

/** @throws UsageError */
function readId(option: string, text: string | undefined): string | undefined {
  const id = text === undefined ? undefined : parseUuid(text);
  if (text === undefined || id !== undefined) return id;
  throw new UsageError(`${option} takes a UUID, not ${JSON.stringify(text)}.`);
}
