import { env } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import { type Call, accept, ADMIN, call, event, ingest, INGEST, mint, newAgent, streamQuery, url } from "./harness.ts";

/** Everything that is logged while `work` runs, by the console's method. */
async function logged(level: string, work: (settings: Call["settings"]) => Promise<unknown>) {
  const methods = ["error", "warn", "log", "debug"] as const;
  const spies = methods.map((method) => vi.spyOn(console, method).mockImplementation(() => undefined));
  try {
    await work({ LOG_LEVEL: level });
    return Object.fromEntries(
      methods.map((method, index) => [method, spies[index]?.mock.calls.map(([line]) => String(line)) ?? []]),
    ) as Record<(typeof methods)[number], string[]>;
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}

describe("the log", () => {
  it("has one line of JSON for a request, and nothing of its secrets and payloads", async () => {
    const signer = await newAgent();
    const key = await mint(signer);
    const sent = [await event(signer, { payload: { note: "confidential" } })];
    const lines = await logged("info", (settings) => ingest(signer, sent, { key, settings }));
    expect([lines.error, lines.warn, lines.debug]).toEqual([[], [], []]);
    expect(lines.log).toHaveLength(1);
    const [line = ""] = lines.log;
    expect(JSON.parse(line)).toEqual({
      level: "info",
      message: "request",
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) as string,
      request_id: expect.stringMatching(/^test-/) as string,
      method: "POST",
      route: INGEST,
      status: 200,
      duration_ms: expect.any(Number) as number,
      tenant_id: signer.tenantId,
      store_id: signer.storeId,
      agent_id: signer.agentId,
      credential: "key",
    });
    for (const secret of [key, "confidential"]) expect(line).not.toContain(secret);
  });

  it("tells a refusal with its code at info, and a failure at error", async () => {
    const path = "/api/v1/ves/commitments/{batch_id}";
    const batch = path.replace("{batch_id}", crypto.randomUUID());
    const refused = await logged("info", (settings) => call("GET", batch, { key: "wrong", settings }));
    expect(JSON.parse(refused.log[0] ?? "")).toMatchObject({
      route: path,
      status: 401,
      error: "INVALID_API_KEY",
      credential: "key",
    });
    const POSTGRES = { connectionString: "postgres://nobody:nothing@127.0.0.1:9/nowhere" };
    const failed = await logged("info", (settings) => call("GET", batch, { settings: { ...settings, POSTGRES } }));
    const lines = failed.error.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.map(({ message }) => message)).toEqual([
      "looking up the stream of a batch in Postgres failed",
      "request",
    ]);
    expect(lines[1]).toMatchObject({ level: "error", status: 503, credential: "bootstrap" });
    // Whatever is said while a request is served names it.
    expect(lines[0]?.["request_id"]).toBe(lines[1]?.["request_id"]);
  });

  it.each(["warn", "error", "ERROR"])("says nothing of a request at %s", async (level) => {
    const lines = await logged(level, (settings) => call("GET", "/health", { key: null, settings }));
    expect(Object.values(lines).flat()).toEqual([]);
  });

  it("takes the level of RUST_LOG where LOG_LEVEL is not set", async () => {
    const lines = await logged("", () =>
      call("GET", "/health", { key: null, settings: { LOG_LEVEL: "", RUST_LOG: "hyper=debug,warn" } }),
    );
    expect(lines.log).toEqual([]);
  });
});

describe("the counters", () => {
  /** Every series that the bootstrap administrator, or another key, is shown. */
  async function series(key: string = ADMIN): Promise<ReadonlyMap<string, number>> {
    const { text } = await call<string>("GET", "/metrics", { key, settings: { METRICS: env.METRICS } });
    const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
    return new Map(
      lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ")))]),
    );
  }

  /** What has risen meanwhile, and by how much. */
  async function risen(work: () => Promise<unknown>): Promise<Record<string, number>> {
    const before = await series();
    await work();
    const after = await series();
    const differences = [...after].map(([name, value]) => [name, value - (before.get(name) ?? 0)] as const);
    return Object.fromEntries(differences.filter(([, difference]) => difference !== 0));
  }

  it("tell what became of events, and why they were refused", async () => {
    const signer = await newAgent();
    const first = await event(signer);
    await accept(signer, first);
    const forged = { ...(await event(signer)), agent_signature: `0x${"00".repeat(64)}` };
    const stale = await event(signer, { baseVersion: 7 });
    const sent = [first, forged, stale, await event(signer), await event(signer)];
    expect(await risen(() => ingest(signer, sent))).toMatchObject({
      sequencer_ves_events_received: 5,
      sequencer_ves_events_verified: 4,
      sequencer_events_ingested: 2,
      sequencer_events_replayed: 1,
      sequencer_events_rejected: 2,
      'sequencer_event_rejections_total{reason="invalid_signature"}': 1,
      'sequencer_event_rejections_total{reason="version_conflict"}': 1,
      sequencer_ingest_latency_seconds_count: 1,
      sequencer_append_latency_seconds_count: 1,
      sequencer_request_events_per_batch_sum: 5,
      'sequencer_request_events_per_batch_bucket{le="5"}': 1,
      [`sequencer_http_requests_total{method="POST",path="${INGEST}",status="200"}`]: 1,
    });
  });

  it("tell of rows that only an acknowledgement has written, and of entries of the audit log", async () => {
    const signer = await newAgent();
    await accept(signer, await event(signer));
    const key = await mint(signer);
    const body = { tenantId: signer.tenantId, storeId: signer.storeId, sequenceNumber: 1 };
    const path = `/api/v1/ves/cursors/${signer.agentId}`;
    const rose = await risen(async () => expect((await call("PUT", path, { key, body })).status).toBe(200));
    expect(rose['sequencer_rows_written_total{object="stream"}']).toBeGreaterThan(0);
    expect(rose).not.toHaveProperty("sequencer_audit_events_logged");
    expect(await risen(() => mint(signer))).toMatchObject({ sequencer_audit_events_logged: 1 });
  });

  it("tell requests by route and status, refused credentials, and registrations", { timeout: 20_000 }, async () => {
    const { tenantId, storeId } = await newAgent();
    const head = url("/api/v1/ves/head", streamQuery({ tenantId, storeId }));
    const path = "/api/v1/agents/register";
    const settings = {
      PUBLIC_AGENT_REGISTRATION_ENABLED: "true",
      PUBLIC_AGENT_REGISTRATION_RATE_LIMIT_PER_MINUTE: "2",
    };
    const register = (body: object): Promise<unknown> => call("POST", path, { key: null, body, settings });
    const rose = await risen(async () => {
      await call("GET", head);
      await call("GET", head, { key: "wrong" });
      await call("GET", head, { key: null });
      await call("GET", `/nowhere/${crypto.randomUUID()}`);
      await call("DELETE", head);
      await call("GET", "/admin", { key: null });
      await register({ name: "one" });
      await register({ name: " " });
      await register({ name: "three" });
    });
    expect(rose).toMatchObject({
      'sequencer_http_requests_total{method="GET",path="/api/v1/ves/head",status="200"}': 1,
      'sequencer_http_requests_total{method="GET",path="/api/v1/ves/head",status="401"}': 2,
      'sequencer_http_requests_total{method="GET",path="unmatched",status="404"}': 1,
      'sequencer_http_requests_total{method="DELETE",path="unmatched",status="405"}': 1,
      'sequencer_http_requests_total{method="GET",path="/admin",status="200"}': 1,
      'sequencer_authentication_failures_total{code="INVALID_API_KEY"}': 1,
      'sequencer_authentication_failures_total{code="AUTH_REQUIRED"}': 1,
      'sequencer_agent_registration_total{outcome="registered",reason="registered"}': 1,
      'sequencer_agent_registration_total{outcome="refused",reason="invalid_name"}': 1,
      'sequencer_agent_registration_total{outcome="refused",reason="rate_limit_exceeded"}': 1,
      [`sequencer_rate_limit_refusals_total{path="${path}"}`]: 1,
      'sequencer_errors_total{code="RATE_LIMIT_EXCEEDED"}': 1,
    });
  });

  it("are for the bootstrap administrator; others are told of their own streams", { timeout: 20_000 }, async () => {
    const signer = await newAgent();
    const key = await mint(signer, { admin: true });
    await accept(signer, await event(signer), await event(signer));
    await vi.waitFor(async () => expect((await series(key)).get("sequencer_events_sequenced")).toBe(2), 15_000);
    const shown = await series(key);
    expect(Object.fromEntries(shown)).toEqual({
      sequencer_metrics_up: 1,
      sequencer_streams: 1,
      sequencer_streams_unmirrored: expect.any(Number) as number,
      sequencer_events_unsealed: 0,
      sequencer_seal_oldest_unsealed_seconds: 0,
      sequencer_events_unmirrored: expect.any(Number) as number,
      sequencer_mirror_oldest_unmirrored_seconds: expect.any(Number) as number,
      sequencer_events_sequenced: 2,
      sequencer_mirror_up: 1,
      sequencer_streams_frozen: 0,
      sequencer_streams_mirrored: 1,
    });
    const otherStore = await mint(signer, { admin: true, storeIds: [crypto.randomUUID()] });
    expect((await series(otherStore)).get("sequencer_events_sequenced")).toBe(0);
    expect((await series()).get("sequencer_events_sequenced")).toBeGreaterThanOrEqual(2);
  });
});
