import { z } from "zod";
import { toHex } from "../../../../src/ves/index.ts";
import { sequencerKeysAnswer } from "../../answers.ts";
import type { Api } from "../../api.ts";
import { AgentError, reasonOf } from "../../errors.ts";
import { newSequencerKeys } from "../../trust.ts";
import { toldError } from "../command-error.ts";
import type { Config } from "../config.ts";
import { EXIT } from "../exit-codes.ts";
import { duration } from "../text.ts";
import { registeredKeys } from "../registered-keys.ts";
import { fail, type Finding, ok, warn } from "./check.ts";

const TIMEOUT_MS = 10_000;
/** From here on, times that agents sign and times of the sequencer tell different stories. */
const MAX_CLOCK_DIFFERENCE_MS = 30_000;

const healthForm = sequencerKeysAnswer.extend({ version: z.string(), timestamp: z.iso.datetime({ offset: true }) });

/** What the sequencer says of itself, to anybody. */
export interface Reached {
  readonly version: string;
  /** How far its clock is ahead of ours, in milliseconds. */
  readonly aheadMs: number;
  /** Hex by version. */
  readonly keys: ReadonlyMap<number, string>;
}

/** Asks without a credential, once. */
export async function reach(url: string, signal: AbortSignal): Promise<Reached | Finding> {
  const asked = Date.now();
  try {
    const both = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
    const response = await fetch(`${url.replace(/\/+$/, "")}/health`, { signal: both });
    const parsed = healthForm.safeParse(JSON.parse(await response.text()));
    const middle = (asked + Date.now()) / 2;
    if (!parsed.success) return fail(`what answers at ${url} is no sequencer: correct url in config.json`);
    const { version, timestamp, keys } = parsed.data;
    return {
      version,
      aheadMs: Date.parse(timestamp) - middle,
      keys: new Map(keys.map(({ key_version, public_key }) => [key_version, toHex(public_key)])),
    };
  } catch (error) {
    if (error instanceof SyntaxError) return fail(`what answers at ${url} is no sequencer: correct url in config.json`);
    return fail(`no sequencer answers at ${url} (${reasonOf(error)})`, EXIT.unreachable);
  }
}

export function checkClock({ aheadMs }: Reached): Finding {
  const difference = duration(Math.abs(aheadMs));
  if (Math.abs(aheadMs) <= MAX_CLOCK_DIFFERENCE_MS) return ok(`within ${difference} of the sequencer's`);
  return warn(`${difference} ${aheadMs > 0 ? "behind" : "ahead of"} the sequencer's: set this machine's clock`);
}

/** @param believed hex by version */
export function checkSequencerKeys({ keys }: Reached, believed: Readonly<Record<number, string>>): Finding {
  const pinned = new Map(Object.entries(believed).map(([version, key]) => [Number(version), key]));
  if (pinned.size === 0) return ok("none is believed yet: those that it shows first will be");
  try {
    const added = newSequencerKeys(pinned, keys).map(({ version, publicKey }) => `${version}=${publicKey}`);
    if (added.length > 0) {
      const names = added.join(" ");
      return warn(`it shows ${names}, not believed: ask its operator, then run stateset-sync keys trust ${names}`);
    }
    return ok(`those that it shows are believed (version ${[...pinned.keys()].join(", ")})`);
  } catch (error) {
    return fail(toldError(error).message);
  }
}

const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;

/** Whether the credential may read the stream. */
export async function checkCredential(api: Api, { url, tenantId, storeId }: Config): Promise<Finding> {
  const path = `/api/v1/ves/head?tenant_id=${tenantId}&store_id=${storeId}`;
  try {
    await api.get(path, z.looseObject({}));
  } catch (error) {
    return failure(error);
  }
  const { protocol, hostname } = new URL(url);
  if (protocol === "https:" || LOOPBACK.test(hostname)) return ok("it may read the stream");
  return warn("it may read the stream, and is sent without encryption: use https");
}

/** Whether the key in use is registered, and may be used now. */
export async function checkRegistration(api: Api, config: Config, publicKey: string | undefined): Promise<Finding> {
  const { keyId } = config;
  if (keyId === null) return warn("there is no key to be registered");
  try {
    const known = (await registeredKeys(api, config)).find((key) => key.keyId === keyId);
    if (known === undefined) return fail(`key ${keyId} is not registered: run stateset-sync keys register`);
    if (publicKey !== undefined && known.publicKey !== publicKey) {
      return fail(`another key is registered as key ${keyId}: run stateset-sync keys rotate`);
    }
    if (known.status === "active") return ok(`key ${keyId} is registered and active`);
    return fail(`key ${keyId} is ${known.status}: run stateset-sync keys rotate`);
  } catch (error) {
    return failure(error);
  }
}

/** What a request failed with, as a finding. @throws what nobody foresaw */
function failure(error: unknown): Finding {
  if (!(error instanceof AgentError)) throw error;
  const { message, exitCode } = toldError(error);
  return fail(message, exitCode);
}
