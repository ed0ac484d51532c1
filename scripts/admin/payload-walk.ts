import type { StreamRef } from "../../src/stream-ref.ts";
import { SourceError } from "../fsck/log-source.ts";
import { listStreams } from "../fsck/postgres-source.ts";
import { callPatiently } from "../fsck/retry.ts";
import { ApiError, type Server } from "../lib/client.ts";
import type { Progress } from "../lib/progress.ts";
import { parseOptions, UsageError } from "../lib/usage.ts";
import { withDatabase } from "./database.ts";
import { readDatabaseUrl, readStream } from "./fsck-options.ts";
import { requireServer, SERVER_OPTIONS } from "./server-options.ts";

/*
 * What `reencrypt` and `keys-in-use` share: which streams, and the way through each of them, piece by piece.
 */

/** Lines of their help. */
export const WALK_OPTIONS = `  --url URL           the sequencer; SEQUENCER_URL
  --api-key KEY       the bootstrap administrator's key; SEQUENCER_API_KEY, or
  --key-file FILE     the file that holds it
  --tenant ID         one stream only: its tenant
  --store ID          and its store
  --database-url URL  the database, which knows all streams; DATABASE_URL. Needed without --tenant and --store
  --json              print one JSON document and nothing else
  --help              print this
`;

export interface WalkOptions {
  readonly server: Server;
  /** Whether it is about all streams that the database knows, and not about a given one. */
  readonly isAll: boolean;
  /** The streams, as known at the moment. @throws SourceError */
  readonly listStreams: () => Promise<readonly StreamRef[]>;
  readonly json: boolean;
}

/** How many payloads are under a key, of all streams. */
export interface KeyUse {
  /** Of streams that this is the current key of. */
  current: number;
  /** Of streams whose current key is another one by now. */
  old: number;
}

/** What was found and done in one of the two storages. */
export interface StorageUse {
  /** By the key's id; `none` stands for payloads that are stored as text. */
  readonly keys: Map<string, KeyUse>;
  reencrypted: number;
}

/** A payload in an object that no key opens which the sequencer has. */
export interface UnreadablePayload {
  readonly tenant_id: string;
  readonly store_id: string;
  readonly sequence_number: number;
  readonly key_id: string;
  /** A clause. */
  readonly reason: string;
}

export interface PayloadUse {
  readonly streams: number;
  readonly object: StorageUse;
  readonly database: StorageUse;
  readonly unreadable: {
    count: number;
    /** The first of them. */
    readonly first: UnreadablePayload[];
  };
}

/** Unreadable payloads that are named. */
const UNREADABLE_NAMED = 100;

interface Counts {
  readonly by_key: Readonly<Record<string, number>>;
  readonly reencrypted: number;
}

interface Piece {
  readonly current_key: string;
  readonly next_sequence: number | null;
  readonly head_sequence: number;
  readonly object: Counts;
  readonly database: Counts | null;
  readonly unreadable_count: number;
  readonly unreadable: readonly Pick<UnreadablePayload, "sequence_number" | "key_id" | "reason">[];
}

/** The sequencer will not do it. The message is its sentence. */
export class Refusal extends Error {
  override readonly name = "Refusal";
}

/** @returns null when help is asked for. @throws UsageError */
export function readWalkOptions(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  more: Readonly<Record<string, { readonly type: "boolean" }>>,
): (WalkOptions & { readonly flags: ReadonlySet<string> }) | null {
  const values = parseOptions(args, {
    ...SERVER_OPTIONS,
    "database-url": { type: "string" },
    tenant: { type: "string" },
    store: { type: "string" },
    json: { type: "boolean" },
    help: { type: "boolean", short: "h" },
    ...more,
  }) as Readonly<Record<string, string | boolean | undefined>>;
  const text = (name: string): string | undefined => values[name] as string | undefined;
  if (values["help"] === true) return null;
  const server = requireServer({ url: text("url"), "api-key": text("api-key"), "key-file": text("key-file") }, env);
  const stream = readStream(text("tenant"), text("store"));
  const databaseUrl = readDatabaseUrl(text("database-url") ?? (env["DATABASE_URL"] || undefined));
  if (stream === null && databaseUrl === null) {
    throw new UsageError("Only the database knows all streams: give --tenant and --store, or --database-url.");
  }
  const known = (): Promise<readonly StreamRef[]> =>
    stream === null ? withDatabase(databaseUrl ?? "", listStreams) : Promise.resolve([stream]);
  const flags = new Set(Object.keys(more).filter((name) => values[name] === true));
  return { server, isAll: stream === null, listStreams: known, json: values["json"] === true, flags };
}

/** Goes through the streams. @throws Refusal, SourceError */
export async function walkPayloads(
  { server, listStreams: known }: WalkOptions,
  { doing, isDryRun }: { readonly doing: string; readonly isDryRun: boolean },
  progress: Progress,
): Promise<PayloadUse> {
  const streams = await known();
  const use: PayloadUse = {
    streams: streams.length,
    object: newUse(),
    database: newUse(),
    unreadable: { count: 0, first: [] },
  };
  for (const stream of streams) {
    for (let from: number | null = 1; from !== null;) {
      const piece: Piece = await askPiece(server, stream, from, isDryRun);
      if (from === 1) progress.startEvents(doing, piece.head_sequence);
      add(use.object, piece.object, piece.current_key);
      if (piece.database !== null) add(use.database, piece.database, piece.current_key);
      addUnreadable(use, stream, piece);
      progress.advance((piece.next_sequence ?? piece.head_sequence + 1) - from);
      if (piece.next_sequence !== null && piece.next_sequence <= from) {
        throw new Refusal(`${nameOf(stream)} does not get on beyond event ${from}.`);
      }
      from = piece.next_sequence;
    }
  }
  progress.clear();
  return use;
}

/** Payloads that are not under their stream's current key. */
export function oldPayloads({ object, database }: PayloadUse): { readonly object: number; readonly database: number } {
  const sum = ({ keys }: StorageUse): number => Array.from(keys.values()).reduce((all, { old }) => all + old, 0);
  return { object: sum(object), database: sum(database) };
}

function newUse(): StorageUse {
  return { keys: new Map(), reencrypted: 0 };
}

function add(use: StorageUse, { by_key: byKey, reencrypted }: Counts, currentKey: string): void {
  for (const [key, payloads] of Object.entries(byKey)) {
    const known = use.keys.get(key) ?? { current: 0, old: 0 };
    known[key === currentKey ? "current" : "old"] += payloads;
    use.keys.set(key, known);
  }
  use.reencrypted += reencrypted;
}

function addUnreadable({ unreadable }: PayloadUse, { tenantId, storeId }: StreamRef, piece: Piece): void {
  unreadable.count += piece.unreadable_count;
  const named = piece.unreadable.slice(0, UNREADABLE_NAMED - unreadable.first.length);
  unreadable.first.push(...named.map((payload) => ({ tenant_id: tenantId, store_id: storeId, ...payload })));
}

async function askPiece(server: Server, stream: StreamRef, from: number, isDryRun: boolean): Promise<Piece> {
  const body = { tenant_id: stream.tenantId, store_id: stream.storeId, from, dry_run: isDryRun };
  return asBootstrap(nameOf(stream), () => callPatiently(server, "POST", "/api/v1/admin/streams/reencrypt", body));
}

/** How many streams have sealed events that the database does not have; null when the sequencer cannot tell. @throws Refusal, SourceError */
export async function readUnmirroredStreams(server: Server): Promise<number | null> {
  const { components } = await asBootstrap("The sequencer", () =>
    callPatiently<{ components: { lag: { streams_unmirrored?: number } } }>(server, "GET", "/health/detailed"),
  );
  return components.lag.streams_unmirrored ?? null;
}

/** @param about what a refusal is about */
async function asBootstrap<Answer>(about: string, ask: () => Promise<Answer>): Promise<Answer> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.status === 401 || error.status === 403) {
      const sentence = `This takes the bootstrap administrator's API key: the sequencer answers ${error.message}.`;
      throw new SourceError(sentence, { cause: error });
    }
    throw new Refusal(`${about}: ${error.detail}.`, { cause: error });
  }
}

function nameOf({ tenantId, storeId }: StreamRef): string {
  return `Tenant ${tenantId}, store ${storeId}`;
}
