import { createExecutionContext, runInDurableObject, waitOnExecutionContext } from "cloudflare:test";
import { env, exports } from "cloudflare:workers";
import { expect } from "vitest";
import { type Fact, newSigner, signEvent, type Signer } from "../../../scripts/lib/signer.ts";
import { ERROR_CODES, type ErrorCode } from "../../../src/errors.ts";
import { createApp, endpoints } from "../../../src/http/app.ts";
import type { Endpoint } from "../../../src/http/endpoint.ts";
import { openApiDocument } from "../../../src/http/openapi.ts";
import { streamObjectName } from "../../../src/stream-ref.ts";
import {
  canonicalJson,
  eventSigningHash,
  fromHex,
  type JsonValue,
  payloadPlainHash,
  type Receipt,
  to0xHex,
  toHex,
} from "../../../src/ves/index.ts";

/** What BOOTSTRAP_ADMIN_API_KEY is set to for the tests. */
export const ADMIN = "dev_admin_key";
export const ORIGIN = "https://sequencer.test";
/** The `cache-control` of answers that never change. */
const IMMUTABLE = "private, max-age=31536000, immutable";

/** A JSON object whose members a test may change at will. */
export type Wire = Record<string, JsonValue | undefined>;

export interface Call {
  /** Credential, sent as `Authorization: ApiKey <key>`; the bootstrap administrator's unless given. Null: none. */
  readonly key?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Sent as it is. */
  readonly raw?: BodyInit;
  /** Settings and bindings of the deployment that differ from those of the other tests. */
  readonly settings?: Readonly<Record<string, unknown>> | undefined;
  /** Another isolate of the deployment, as far as an app of its own makes one. */
  readonly isolate?: App;
}

const away = (): Promise<never> => Promise.reject(new Error("the anchoring Worker is away"));

/** A deployment whose anchoring Worker is bound, and throws whatever it is asked. */
export const ANCHOR_AWAY: Pick<Env, "ANCHOR"> = { ANCHOR: { setup: away, anchorNow: away, verify: away } };

export interface Reply<Body = unknown> {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly body: Body;
}

/**
 * Calls the Worker, and checks on each answer what all answers must have: the security headers, the request id, the one
 * form of errors, that nobody keeps it but where it never changes, and in an answer of 200 exactly the members that its
 * endpoint documents.
 */
export async function call<Body = unknown>(method: string, path: string, given: Call = {}): Promise<Reply<Body>> {
  const requestId = `test-${crypto.randomUUID()}`;
  const headers = new Headers({ "x-request-id": requestId });
  if (given.key !== null) headers.set("authorization", `ApiKey ${given.key ?? ADMIN}`);
  const payload = given.raw ?? (given.body === undefined ? undefined : JSON.stringify(given.body));
  if (payload !== undefined) headers.set("content-type", "application/json");
  for (const [name, value] of Object.entries(given.headers ?? {})) {
    if (value === "") headers.delete(name);
    else headers.set(name, value);
  }
  // As bytes: a text would bring a content type of its own.
  const bytes = typeof payload === "string" ? new TextEncoder().encode(payload) : payload;
  const request = new Request(ORIGIN + path, { method, headers, ...(bytes === undefined ? {} : { body: bytes }) });
  const response = await (given.settings || given.isolate
    ? deployedWith(given.settings ?? {}, given.isolate).fetch(request)
    : exports.default.fetch(request));
  const text = await response.text();

  expect(response.headers.get("x-request-id")).toBe(requestId);
  expect(response.headers.get("x-content-type-options")).toBe("nosniff");
  expect(response.headers.get("x-frame-options")).toBe("DENY");
  const endpoint = endpointOf(method, path);
  const mayBeKept = endpoint?.isImmutable === true && (response.status === 200 || response.status === 304);
  // Which of the two it is depends on whether its batch is mirrored by then.
  expect(["no-store", ...(mayBeKept ? [IMMUTABLE] : [])]).toContain(response.headers.get("cache-control"));
  expect(response.status).not.toBe(500);
  const isJson = response.headers.get("content-type")?.startsWith("application/json") === true;
  const body = (isJson && text !== "" ? JSON.parse(text) : text) as Body;
  if (response.status >= 400) checkErrorForm(response, body, requestId);
  if (endpoint !== undefined) checkDocumented(endpoint, response.status, body);
  return { status: response.status, headers: response.headers, text, body };
}

type App = ReturnType<typeof createApp>;

const firstIsolate = createApp();

function deployedWith(
  settings: Readonly<Record<string, unknown>>,
  app: App = firstIsolate,
): { fetch: (request: Request) => Promise<Response> } {
  return {
    fetch: async (request) => {
      const context = createExecutionContext();
      // Without METRICS, since numbers are delivered a second later, and this would wait for it.
      const response = await app.fetch(request, { ...env, METRICS: undefined, ...settings }, context);
      await waitOnExecutionContext(context);
      return response;
    },
  };
}

function checkErrorForm(response: Response, body: unknown, requestId: string): void {
  const { error, ...top } = body as { error: Record<string, unknown> };
  const code = error["code"] as ErrorCode;
  expect(ERROR_CODES).toHaveProperty(code);
  expect(error).toMatchObject({
    code,
    numeric_code: ERROR_CODES[code].numericCode,
    message: expect.any(String),
    request_id: requestId,
  });
  expect(response.status).toBe(ERROR_CODES[code].status);
  expect(top).toEqual({ code, message: error["message"] });
  expect(response.headers.get("x-error-code")).toBe(code);
  expect(response.headers.get("content-type")).toMatch(/^application\/json/);
  const optional = ["details", "retry_after"].filter((member) => member in error);
  expect(Object.keys(error).toSorted()).toEqual(
    ["code", "message", "numeric_code", "request_id", ...optional].toSorted(),
  );
  const retryAfter = response.headers.get("retry-after");
  expect(retryAfter).toBe("retry_after" in error ? String(error["retry_after"]) : null);
}

const document = openApiDocument(endpoints);

function endpointOf(method: string, path: string): Endpoint | undefined {
  const [pathname = ""] = path.split("?");
  // The first that matches is the one that answers.
  return endpoints.find(
    (candidate) =>
      candidate.method === method && new RegExp(`^${candidate.path.replace(/\{\w+\}/g, "[^/]+")}$`).test(pathname),
  );
}

/** An answer must be one that the OpenAPI document has for its route; one of 200 must have exactly the documented form. */
function checkDocumented(endpoint: Endpoint, status: number, body: unknown): void {
  if (status === 405) return;
  expect(document.paths[endpoint.path]?.[endpoint.method.toLowerCase()]?.responses).toHaveProperty(String(status));
  // What a schema does not name it drops, so equality also finds members that the document does not have.
  if (status === 200) expect(endpoint.response.parse(body)).toEqual(body);
}

/** Expects an error with exactly this code and, as a text or a pattern, message. */
export function expectError(reply: Reply, code: ErrorCode, message: string | RegExp): void {
  const error = (reply.body as { error?: { code: string; message: string } }).error;
  expect({ status: reply.status, code: error?.code }).toEqual({ status: ERROR_CODES[code].status, code });
  if (typeof message === "string") expect(error?.message).toBe(message);
  else expect(error?.message).toMatch(message);
}

/** The `details` of an error. */
export function detailsOf(reply: Reply): unknown {
  return (reply.body as { error: { details?: unknown } }).error.details;
}

/** Path with query parameters; undefined ones are left out. */
export function url(path: string, query: Readonly<Record<string, string | number | undefined>>): string {
  const given = Object.entries(query).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]]));
  return `${path}?${new URLSearchParams(given).toString()}`;
}

export function streamQuery({ tenantId, storeId }: Pick<Signer, "tenantId" | "storeId">) {
  return { tenant_id: tenantId, store_id: storeId };
}

/** A fresh stream with one agent whose key is registered. */
export async function newAgent(
  tenantId: string = crypto.randomUUID(),
  storeId: string = crypto.randomUUID(),
): Promise<Signer> {
  const signer = await newSigner(tenantId, storeId);
  expect((await registerKey(signer)).status).toBe(200);
  return signer;
}

export function registerKey(signer: Signer, change: Wire = {}, key: string = ADMIN): Promise<Reply> {
  const { tenantId, agentId, keyId } = signer;
  const body = { tenantId, agentId, keyId, publicKey: toHex(signer.key.publicKey), ...change };
  return call("POST", "/api/v1/agents/keys", { key, body });
}

/** Mints an API key for the agent and gives its text. */
export async function mint(
  signer: Pick<Signer, "tenantId" | "agentId">,
  change: Wire = {},
  key: string = ADMIN,
): Promise<string> {
  const body = { tenantId: signer.tenantId, ...change };
  const reply = await call<{ apiKey: string }>("POST", `/api/v1/agents/${signer.agentId}/api-keys`, { key, body });
  expect(reply.status).toBe(200);
  return reply.body.apiKey;
}

let entities = 0;

/** A sound event of the agent, of a new entity unless `fact` names one. */
export async function event(signer: Signer, fact: Partial<Fact> = {}): Promise<Wire> {
  const entityId = `SKU-${++entities}`;
  const sound = { entityType: "inventory", entityId, eventType: "inventory.adjusted", payload: { delta: 5 } };
  const { source_agent, ...wire } = await signEvent(signer, { ...sound, ...fact });
  return { ...wire } as unknown as Wire;
}

/** The event with other members, and signed again. Hashes follow the payload unless they are among the changes. */
export async function resigned(signer: Signer, wire: Wire, change: Wire = {}): Promise<Wire> {
  const changed: Wire = { ...wire, ...change };
  if (change["payload"] !== undefined && change["payload_plain_hash"] === undefined) {
    changed["payload_plain_hash"] = to0xHex(payloadPlainHash(canonicalJson(change["payload"])));
  }
  const { payload_plain_hash, payload_cipher_hash, ...members } = changed;
  const hash = eventSigningHash({
    ...(members as unknown as Parameters<typeof eventSigningHash>[0]),
    payload_plain_hash: fromHex(payload_plain_hash as string),
    payload_cipher_hash: fromHex(payload_cipher_hash as string),
  });
  return { ...changed, agent_signature: to0xHex(await signer.key.sign(hash)) };
}

/** The text of a member that must be one. */
export function textOf(wire: Wire | undefined, member: string): string {
  const value = wire?.[member];
  if (typeof value !== "string") throw new TypeError(`${member} is no text`);
  return value;
}

/** A copy without the member. */
export function without(wire: Wire, member: string): Wire {
  return Object.fromEntries(Object.entries(wire).filter(([name]) => name !== member));
}

export interface IngestAnswer {
  readonly eventsAccepted: number;
  readonly eventsRejected: number;
  readonly sequenceStart: number | null;
  readonly sequenceEnd: number | null;
  readonly headSequence: number;
  readonly rejections?: readonly { readonly event_id: string; readonly reason: string; readonly message: string }[];
  readonly receipts?: readonly Receipt[];
}

export const INGEST = "/api/v1/ves/events/ingest";

export function ingest(
  signer: Signer,
  events: unknown,
  given: Call & { path?: string } = {},
): Promise<Reply<IngestAnswer>> {
  return call("POST", given.path ?? INGEST, { body: { agentId: signer.agentId, events }, ...given });
}

/** Ingests events that must all be accepted. */
export async function accept(signer: Signer, ...events: readonly Wire[]): Promise<readonly Receipt[]> {
  const reply = await ingest(signer, events);
  expect(reply.body).toMatchObject({ eventsAccepted: events.length, eventsRejected: 0 });
  return reply.body.receipts ?? [];
}

export interface LogAnswer {
  readonly events: readonly { readonly envelope: Wire }[];
  readonly count: number;
  readonly next_sequence: number;
  readonly head_sequence: number;
  readonly has_more: boolean;
}

export async function readLog(signer: Pick<Signer, "tenantId" | "storeId">): Promise<LogAnswer> {
  const reply = await call<LogAnswer>("GET", url("/api/v1/ves/events", { ...streamQuery(signer), limit: 1000 }));
  expect(reply.status).toBe(200);
  return reply.body;
}

/** Expects the log to hold exactly these events, in this order, with every member as it was sent. */
export async function expectLog(signer: Signer, events: readonly Wire[]): Promise<void> {
  const log = await readLog(signer);
  expect(log.head_sequence).toBe(events.length);
  const stored = log.events.map(({ envelope: { source_agent, sequenced_at, ...members } }) => members);
  expect(stored).toEqual(events.map((wire, index) => ({ ...wire, sequence_number: index + 1 })));
}

/** Expects that the stream was never written to: no reader sees anything, and its object holds not even a table. */
export async function expectNothingStored(signer: Pick<Signer, "tenantId" | "storeId">): Promise<void> {
  expect(await readLog(signer)).toEqual({ events: [], count: 0, next_sequence: 1, head_sequence: 0, has_more: false });
  const stub = env.STREAMS.get(env.STREAMS.idFromName(streamObjectName(signer)));
  const tables = await runInDurableObject(stub, (_, state) =>
    state.storage.sql.exec("SELECT name FROM sqlite_schema WHERE name NOT LIKE '\\_cf\\_%' ESCAPE '\\'").toArray(),
  );
  expect(tables).toEqual([]);
}

/** The defective event must be rejected so, while a sound one beside it is accepted and is all that is stored. */
export async function expectRejected(
  signer: Signer,
  bad: Wire,
  reason: string,
  message: string | RegExp,
): Promise<void> {
  const good = await event(signer);
  const { head_sequence: before, events: earlier } = await readLog(signer);
  const reply = await ingest(signer, [bad, good]);
  expect(reply.body).toMatchObject({
    eventsAccepted: 1,
    eventsRejected: 1,
    sequenceStart: before + 1,
    sequenceEnd: before + 1,
    headSequence: before + 1,
  });
  const id = textOf(bad, "event_id").toLowerCase();
  const text = typeof message === "string" ? message : (expect.stringMatching(message) as string);
  expect(reply.body.rejections).toEqual([{ eventId: id, event_id: id, reason, message: text }]);
  expect(reply.body.receipts?.map(({ eventId }) => eventId)).toEqual([good["event_id"]]);
  const log = await readLog(signer);
  expect(log.head_sequence).toBe(before + 1);
  expect(log.events.map(({ envelope }) => envelope["event_id"])).toEqual([
    ...earlier.map(({ envelope }) => envelope["event_id"]),
    good["event_id"],
  ]);
}
