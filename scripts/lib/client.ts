import { proofOfPossessionChallenge, type Receipt, toHex, type WireEnvelope } from "../../src/ves/index.ts";
import type { Signer } from "./signer.ts";

/** What POST /api/v1/ves/events/ingest answers. */
export interface IngestAnswer {
  readonly batchId: string;
  readonly eventsAccepted: number;
  readonly eventsRejected: number;
  readonly sequenceStart: number | null;
  readonly sequenceEnd: number | null;
  readonly headSequence: number;
  readonly rejections?: readonly { readonly event_id: string; readonly reason: string; readonly message: string }[];
  readonly receipts?: readonly Receipt[];
}

/** An error answer of the server. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: number;
  readonly code: string;
  /** The server's own message, without what stands before it in {@link ApiError.message}. */
  readonly detail: string;

  constructor(status: number, code: string, detail: string) {
    super(`${status} ${code}: ${detail}`);
    this.status = status;
    this.code = code;
    this.detail = detail;
  }
}

/** A server and a credential for it. */
export interface Server {
  readonly url: string;
  readonly apiKey: string;
}

/** One call of the HTTP API. @throws ApiError for any status but 200 */
export async function call<Answer>(server: Server, method: string, path: string, body?: unknown): Promise<Answer> {
  const response = await fetch(server.url + path, {
    method,
    headers: {
      authorization: `ApiKey ${server.apiKey}`,
      ...(body === undefined ? {} : { "content-type": "application/json" }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (response.status === 200) return (await response.json()) as Answer;
  const text = await response.text();
  const { code, message } = errorOf(text);
  throw new ApiError(response.status, code, message);
}

/** The server's code and message; something between us and it may answer with anything else. */
function errorOf(text: string): { readonly code: string; readonly message: string } {
  try {
    return JSON.parse(text) as { code: string; message: string };
  } catch {
    return { code: "UNKNOWN", message: text.slice(0, 200) };
  }
}

/** Registers the signer's key, with proof that the signer holds it. */
export async function registerKey(server: Server, signer: Signer): Promise<void> {
  await call(server, "POST", "/api/v1/agents/keys", {
    tenantId: signer.tenantId,
    agentId: signer.agentId,
    keyId: signer.keyId,
    publicKey: toHex(signer.key.publicKey),
    proofOfPossession: toHex(await signer.key.sign(proofOfPossessionChallenge(signer.key.publicKey))),
  });
}

export function push(server: Server, agentId: string, events: readonly WireEnvelope[]): Promise<IngestAnswer> {
  return call(server, "POST", "/api/v1/ves/events/ingest", { agentId, events });
}

/** A repeated event's receipt has its proof beside it if the event was sealed since. All else must stay as it was. */
export function withoutProof({ merkleProof, ...receipt }: Receipt & { readonly merkleProof?: unknown }): Receipt {
  return receipt;
}
