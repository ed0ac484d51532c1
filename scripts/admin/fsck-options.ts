import type { PayloadKeyrings } from "../../src/at-rest/payload-keyrings.ts";
import type { StreamRef } from "../../src/stream-ref.ts";
import { readPayloadKeys } from "../fsck/payload-keys.ts";
import type { Server } from "../lib/client.ts";
import { parseOptions, UsageError } from "../lib/usage.ts";
import { readServer, SERVER_OPTIONS, uuidOf } from "./server-options.ts";

export const FSCK_HELP = `Usage: npm run admin -- fsck [options]

Derives again everything that the sequencer and its database say: numbers, ids, hashes, signatures, versions, batches,
roots and receipts. With both of them, also whether the database holds exactly what the log does.

  --url URL            the sequencer; SEQUENCER_URL
  --api-key KEY        a key that may read the stream and the tenant's agent keys; SEQUENCER_API_KEY, or
  --key-file FILE      the file that holds it
  --database-url URL   the database; DATABASE_URL
  --encryption-key KEY what payloads in the database are encrypted under, or several with commas between; otherwise
                       the environment's PAYLOAD_ENCRYPTION_KEY, _KEYS and _KEYS_BY_TENANT. Without a key, the
                       content of encrypted payloads is not checked, and everything else is
  --tenant ID          one stream only: its tenant
  --store ID           and its store
  --receipts all|none  whether to ask for every event's receipt and check it; all when not given
  --json               print one JSON document and nothing else
  --help               print this

Without --tenant and --store all streams that the database knows of are checked. Exit code 0: no differences, 1: there
are some, 2: it could not be found out.
`;

export interface FsckOptions {
  readonly server: Server | null;
  readonly databaseUrl: string | null;
  /** Null: all that the database knows of. */
  readonly stream: StreamRef | null;
  readonly receipts: boolean;
  /** Null: encrypted payloads are not looked at. */
  readonly payloadKeys: PayloadKeyrings | null;
  readonly json: boolean;
}

/** @returns null when help is asked for. @throws UsageError */
export function readFsckOptions(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): FsckOptions | null {
  const values = parseOptions(args, {
    ...SERVER_OPTIONS,
    "database-url": { type: "string" },
    "encryption-key": { type: "string" },
    tenant: { type: "string" },
    store: { type: "string" },
    receipts: { type: "string" },
    json: { type: "boolean" },
    help: { type: "boolean", short: "h" },
  });
  if (values.help === true) return null;
  const server = readServer(values, env);
  const databaseUrl = readDatabaseUrl(values["database-url"] ?? (env["DATABASE_URL"] || undefined));
  if (server === null && databaseUrl === null) throw new UsageError("Give --url, --database-url or both.");
  const stream = readStream(values.tenant, values.store);
  if (stream === null && databaseUrl === null) {
    throw new UsageError("Only the database knows all streams: give --tenant and --store, or --database-url.");
  }
  const receipts = readReceipts(values.receipts);
  const payloadKeys = readPayloadKeys(values["encryption-key"], env);
  return { server, databaseUrl, stream, receipts, payloadKeys, json: values.json ?? false };
}

/** Null when neither id is given. @throws UsageError */
export function readStream(tenant: string | undefined, store: string | undefined): StreamRef | null {
  if (tenant === undefined && store === undefined) return null;
  if (tenant === undefined || store === undefined) throw new UsageError("Give --tenant and --store together.");
  return { tenantId: uuidOf("--tenant", tenant), storeId: uuidOf("--store", store) };
}

/** Null when none is given. The message does not repeat the URL, because it may hold a password. @throws UsageError */
export function readDatabaseUrl(text: string | undefined): string | null {
  if (text === undefined || /^postgres(?:ql)?:$/.test(URL.parse(text)?.protocol ?? "")) return text ?? null;
  throw new UsageError("The database's URL must be of the form postgres://user:password@host:port/database.");
}

function readReceipts(text: string | undefined): boolean {
  if (text === undefined || text === "all") return true;
  if (text === "none") return false;
  throw new UsageError(`--receipts takes all or none, not ${JSON.stringify(text)}.`);
}
