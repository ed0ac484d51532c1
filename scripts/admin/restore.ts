import type { StreamRef } from "../../src/stream-ref.ts";
import { SourceError } from "../fsck/log-source.ts";
import { callPatiently } from "../fsck/retry.ts";
import { ApiError, type Server } from "../lib/client.ts";
import { type Progress, textProgress } from "../lib/progress.ts";
import { counted } from "../lib/text.ts";
import { parseOptions, UsageError } from "../lib/usage.ts";
import type { Command } from "./command.ts";
import { readStream } from "./fsck-options.ts";
import { requireServer, SERVER_OPTIONS } from "./server-options.ts";

const HELP = `Usage: npm run admin -- restore --tenant ID --store ID [options]

Rebuilds a stream whose storage was lost from what the database holds of it. Until it is complete, the stream takes no
writes. When it is interrupted, run it again: it continues.

  --dry-run        say what the database holds of the stream, and whether it would be restored; change nothing. What the
                   database holds is not verified
  --url URL        the sequencer; SEQUENCER_URL
  --api-key KEY    the bootstrap administrator's key; SEQUENCER_API_KEY, or
  --key-file FILE  the file that holds it
  --tenant ID      the stream's tenant
  --store ID       and its store
  --json           print one JSON document and nothing else
  --help           print this

Exit code 0: restored (with --dry-run: it would be tried), 1: refused, and the message says why, 2: wrong usage, or the
sequencer cannot be reached.
`;

interface RestoreOptions {
  readonly server: Server;
  readonly stream: StreamRef;
  readonly isDryRun: boolean;
  readonly json: boolean;
}

interface RestoreAnswer {
  readonly status: "restoring" | "restored";
  readonly restored_sequence: number;
  readonly total_sequence: number;
}

interface Outlook {
  readonly status: "restorable" | "not_empty";
  readonly restored_sequence: number;
  readonly total_sequence: number;
  readonly batches: number;
}

/** The sequencer will not restore this stream. The message is its sentence. */
class Refusal extends Error {
  override readonly name = "Refusal";
}

export const restore: Command = { summary: "rebuilds a lost stream from the mirror's database", run };

/** @returns 0 restored, 1 refused, 2 wrong usage or out of reach */
async function run(args: readonly string[]): Promise<number> {
  const progress = textProgress(process.stderr);
  try {
    const options = readOptions(args, process.env);
    if (options === null) {
      process.stdout.write(HELP);
      return 0;
    }
    if (options.isDryRun) {
      const outlook = await readOutlook(options);
      process.stdout.write(options.json ? outlookJson(options.stream, outlook) : outlookText(options.stream, outlook));
      return outlook.status === "restorable" ? 0 : 1;
    }
    const events = await restoreAll(options, progress);
    const stateRoot = await readStateRoot(options);
    progress.clear();
    process.stdout.write(
      options.json ? json(options.stream, events, stateRoot) : text(options.stream, events, stateRoot),
    );
    return 0;
  } catch (error) {
    progress.clear();
    if (!(error instanceof Refusal || error instanceof SourceError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return error instanceof Refusal ? 1 : 2;
  }
}

function readOptions(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): RestoreOptions | null {
  const values = parseOptions(args, {
    ...SERVER_OPTIONS,
    tenant: { type: "string" },
    store: { type: "string" },
    "dry-run": { type: "boolean" },
    json: { type: "boolean" },
    help: { type: "boolean", short: "h" },
  });
  if (values.help === true) return null;
  const server = requireServer(values, env);
  const stream = readStream(values.tenant, values.store);
  if (stream === null) throw new UsageError("Give --tenant and --store.");
  return { server, stream, isDryRun: values["dry-run"] ?? false, json: values.json ?? false };
}

/**
 * Asks for one piece after the other.
 *
 * @returns how many events were restored
 * @throws Refusal also when the sequencer answers without getting on
 */
async function restoreAll({ server, stream }: RestoreOptions, progress: Progress): Promise<number> {
  const body = { tenant_id: stream.tenantId, store_id: stream.storeId };
  progress.start("Restore");
  for (let done = 0; ;) {
    const answer = await ask<RestoreAnswer>(server, "POST", "/api/v1/admin/streams/restore", body);
    if (answer.status === "restored") return answer.restored_sequence;
    if (answer.restored_sequence <= done) throw new Refusal(`The restoring does not get on beyond event ${done}.`);
    if (done === 0) progress.startEvents("Restore", answer.total_sequence);
    progress.advance(answer.restored_sequence - done);
    done = answer.restored_sequence;
  }
}

function readOutlook({ server, stream }: RestoreOptions): Promise<Outlook> {
  const body = { tenant_id: stream.tenantId, store_id: stream.storeId, dry_run: true };
  return ask(server, "POST", "/api/v1/admin/streams/restore", body);
}

async function readStateRoot({ server, stream }: RestoreOptions): Promise<string> {
  const query = `tenant_id=${stream.tenantId}&store_id=${stream.storeId}`;
  return (await ask<{ state_root: string }>(server, "GET", `/api/v1/ves/head?${query}`)).state_root;
}

async function ask<Answer>(server: Server, method: string, path: string, body?: object): Promise<Answer> {
  try {
    return await callPatiently<Answer>(server, method, path, body);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.status === 401 || error.status === 403) {
      const sentence = `Restoring takes the bootstrap administrator's API key: the sequencer answers ${error.message}.`;
      throw new SourceError(sentence, { cause: error });
    }
    throw new Refusal(refusalText(error), { cause: error });
  }
}

function refusalText({ code, detail }: ApiError): string {
  if (code === "ALREADY_EXISTS") return `There is nothing to restore: ${detail}.`;
  if (code === "RESOURCE_NOT_FOUND") return `There is nothing to restore from: ${detail}.`;
  return `The stream was not restored: ${detail}.`;
}

function text({ tenantId, storeId }: StreamRef, events: number, stateRoot: string): string {
  return [
    `Restored ${counted(events, "event")} of tenant ${tenantId}, store ${storeId}; state root ${stateRoot}.`,
    "Events that were not in the database are lost; agents that push them again get new receipts.",
    `Now check it: npm run admin -- fsck --tenant ${tenantId} --store ${storeId}`,
    "",
  ].join("\n");
}

function json({ tenantId, storeId }: StreamRef, events: number, stateRoot: string): string {
  const document = { status: "restored", tenant_id: tenantId, store_id: storeId, events, state_root: stateRoot };
  return `${JSON.stringify(document, null, 2)}\n`;
}

function outlookText({ tenantId, storeId }: StreamRef, outlook: Outlook): string {
  const { status, restored_sequence: head, total_sequence: total, batches } = outlook;
  const there = `The database holds ${counted(total, "event")} in ${counted(batches, "batch")} of tenant ${tenantId}, store ${storeId}.\n`;
  if (status === "not_empty") {
    return `${there}The stream holds events up to ${head}: only an empty one is restored.\n`;
  }
  return head === 0
    ? `${there}The stream is empty, and would be restored.\n`
    : `${there}The stream is restored up to event ${head}, and would be from there on.\n`;
}

function outlookJson({ tenantId, storeId }: StreamRef, outlook: Outlook): string {
  const { status, restored_sequence: head, total_sequence: total, batches } = outlook;
  const stream = { tenant_id: tenantId, store_id: storeId, head_sequence: head };
  return `${JSON.stringify({ dry_run: true, status, ...stream, database: { events: total, batches } }, null, 2)}\n`;
}
