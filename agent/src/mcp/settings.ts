import { fromHex, parseUuid, VesError } from "../../../src/ves/index.ts";
import { readSequencerKey } from "../sequencer-key-text.ts";
import type { AgentIdentity } from "../signer.ts";
import { type EventTypeRules, readEventTypeRules } from "./event-types.ts";

/** The environment cannot be used. `problems` says why, a sentence each; none of them holds a secret's value. */
export class SettingsError extends Error {
  override readonly name = "SettingsError";
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join("\n"));
    this.problems = problems;
  }
}

/** What the server is told by its environment. */
export interface Settings {
  /** Of the sequencer. */
  readonly url: string;
  /** An API key or a token. */
  readonly credential: string;
  readonly identity: AgentIdentity;
  /** Ed25519 seed as hex; absent where nothing is signed. */
  readonly privateKey: string | undefined;
  /** What may be recorded; empty: the server only reads. */
  readonly allowedEventTypes: EventTypeRules;
  /** The sequencer's public keys as hex by version; those that it shows first when absent. */
  readonly sequencerKeys: Readonly<Record<number, string>> | undefined;
  /** File of the outbox; in memory when absent. */
  readonly outboxPath: string | undefined;
  /** What clients have to show over HTTP. */
  readonly mcpToken: string | undefined;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** Shorter tokens can be guessed by whoever may try for long. */
const MIN_TOKEN_CHARACTERS = 16;

const MAX_KEY_ID = 0xffff_ffff;

/** @throws SettingsError */
export function readSettings(env: Environment): Settings {
  const problems: string[] = [];
  const text = (name: string): string | undefined => env[name]?.trim() || undefined;
  const need = (name: string, what: string): string => {
    const value = text(name);
    if (value === undefined) problems.push(`${name} is not set: it must be ${what}.`);
    return value ?? "";
  };
  const uuid = (name: string, whose: string): string => {
    const value = need(name, `${whose} UUID`);
    const id = parseUuid(value);
    if (value !== "" && id === undefined) problems.push(`${name} must be ${whose} UUID, not ${JSON.stringify(value)}.`);
    return id ?? "";
  };
  const rules = text("STATESET_ALLOWED_EVENT_TYPES");
  const read = rules === undefined ? { rules: [] } : readEventTypeRules(rules);
  if ("problem" in read) problems.push(`STATESET_ALLOWED_EVENT_TYPES ${read.problem}.`);
  const doesRecord = rules !== undefined;
  const settings: Settings = {
    url: urlOf(
      need("STATESET_SEQUENCER_URL", "where the sequencer serves, such as https://sequencer.example"),
      problems,
    ),
    identity: {
      tenantId: uuid("STATESET_TENANT_ID", "the tenant's"),
      storeId: uuid("STATESET_STORE_ID", "the store's"),
      agentId: uuid("STATESET_AGENT_ID", "the agent's"),
      keyId: keyIdOf(text("STATESET_AGENT_KEY_ID"), doesRecord, problems),
    },
    credential: credentialOf(text("STATESET_API_KEY"), text("STATESET_BEARER_TOKEN"), problems),
    privateKey: privateKeyOf(text("VES_PRIVATE_KEY"), doesRecord, problems),
    allowedEventTypes: "rules" in read ? read.rules : [],
    sequencerKeys: sequencerKeysOf(text("STATESET_SEQUENCER_KEYS"), problems),
    outboxPath: text("STATESET_OUTBOX"),
    mcpToken: tokenOf(text("STATESET_MCP_TOKEN"), problems),
  };
  if (problems.length > 0) throw new SettingsError(problems);
  return settings;
}

/** Values that must never be told to anybody. */
export function secretsOf({ credential, privateKey, mcpToken }: Settings): string[] {
  return [credential, privateKey, mcpToken].filter((secret) => secret !== undefined);
}

function urlOf(text: string, problems: string[]): string {
  if (text === "") return text;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== "http:" && url.protocol !== "https:")) {
    problems.push("STATESET_SEQUENCER_URL must begin with http:// or https://.");
  } else if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "") {
    problems.push("STATESET_SEQUENCER_URL must have neither a user, a password, a query nor a fragment.");
  }
  return url?.href.replace(/\/+$/, "") ?? "";
}

function credentialOf(apiKey: string | undefined, token: string | undefined, problems: string[]): string {
  const credential = apiKey ?? token ?? "";
  if (apiKey !== undefined && token !== undefined) {
    problems.push("Only one of STATESET_API_KEY and STATESET_BEARER_TOKEN may be set.");
  } else if (credential === "") {
    problems.push("Neither STATESET_API_KEY nor STATESET_BEARER_TOKEN is set: the sequencer asks for one of them.");
  } else if (!/^[\x21-\x7e]+$/.test(credential)) {
    const name = apiKey === undefined ? "STATESET_BEARER_TOKEN" : "STATESET_API_KEY";
    problems.push(`${name} must be printable ASCII without spaces.`);
  }
  return credential;
}

function keyIdOf(text: string | undefined, doesRecord: boolean, problems: string[]): number {
  if (text === undefined) {
    if (doesRecord) problems.push("STATESET_AGENT_KEY_ID is not set: it must be the number of the agent's key.");
    return 0;
  }
  const keyId = /^\d{1,10}$/.test(text) ? Number(text) : Infinity;
  if (keyId > MAX_KEY_ID) problems.push(`STATESET_AGENT_KEY_ID must be a whole number from 0 to ${MAX_KEY_ID}.`);
  return keyId;
}

function privateKeyOf(text: string | undefined, doesRecord: boolean, problems: string[]): string | undefined {
  if (text === undefined) {
    if (doesRecord) problems.push("VES_PRIVATE_KEY is not set: what is recorded has to be signed.");
    return undefined;
  }
  try {
    fromHex(text, 32);
  } catch (error) {
    if (!(error instanceof VesError)) throw error;
    problems.push("VES_PRIVATE_KEY must be the Ed25519 seed of the agent's key, 64 hex digits.");
  }
  return text;
}

function sequencerKeysOf(text: string | undefined, problems: string[]): Record<number, string> | undefined {
  const keys = text?.split(",").map((key) => readSequencerKey(key.trim()));
  if (keys?.includes(undefined) === true) {
    problems.push(
      "STATESET_SEQUENCER_KEYS must be VERSION=KEY, a number and 64 hex digits, or several with commas between.",
    );
  }
  return keys && Object.fromEntries(keys.filter((key) => key !== undefined));
}

function tokenOf(text: string | undefined, problems: string[]): string | undefined {
  if (text !== undefined && (text.length < MIN_TOKEN_CHARACTERS || !/^[\x21-\x7e]+$/.test(text))) {
    problems.push(
      `STATESET_MCP_TOKEN must have at least ${MIN_TOKEN_CHARACTERS} printable ASCII characters and no spaces.`,
    );
  }
  return text;
}
