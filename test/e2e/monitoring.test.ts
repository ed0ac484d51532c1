import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parser } from "@prometheus-io/lezer-promql";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { parse } from "yaml";
import { call, push, registerKey, type Server } from "../../scripts/lib/client.ts";
import { newSigner, signEvent } from "../../scripts/lib/signer.ts";
import { COUNTERS, EVENTS_SEQUENCED, GAUGES, HISTOGRAMS } from "../../src/observe/catalogue.ts";
import type { StreamRef } from "../../src/stream-ref.ts";
import { toBase64Url, utf8 } from "../../src/ves/index.ts";
import { type AnchoredServer, startAnchoredServer } from "./support/anchored-server.ts";
import { newAnchoredStream } from "./support/anchored-stream.ts";
import { removeTempDirs, waitUntil } from "./support/processes.ts";
import { scrape } from "./support/scrape.ts";

/*
 * Alerts and dashboard against a real server: an expression about a metric that does not exist would never say anything.
 */

const ROOT = join(import.meta.dirname, "..", "..");
const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");

interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string };
}

interface Panel {
  readonly title: string;
  readonly type: string;
  readonly targets?: readonly { readonly expr: string }[];
}

const { groups } = parse(read("monitoring/alerts.yml")) as { groups: readonly { readonly rules: AlertRule[] }[] };
const rules = groups.flatMap((group) => group.rules);
const { panels } = JSON.parse(read("monitoring/dashboard.json")) as { panels: readonly Panel[] };
const expressions = [
  ...rules.map(({ alert, expr }) => [alert, expr] as const),
  ...panels.flatMap(({ title, targets }) => (targets ?? []).map(({ expr }) => [title, expr] as const)),
];

/** The series that an expression asks for: each with its labels. @throws Error when it is no PromQL */
function selectors(expression: string): { readonly metric: string; readonly labels: readonly string[] }[] {
  const found: { metric: string; labels: string[] }[] = [];
  /** Of `by (...)`, which stands before what is grouped. */
  let grouping: string[] = [];
  parser.parse(expression).iterate({
    enter: ({ name, type, from, to, node }) => {
      if (type.isError) throw new Error(`no PromQL at ${from}: ${expression}`);
      const text = expression.slice(from, to);
      if (name === "LabelName") (node.parent?.name === "GroupingLabels" ? grouping : found.at(-1)?.labels)?.push(text);
      if (name !== "Identifier") return;
      found.push({ metric: text, labels: grouping });
      grouping = [];
    },
  });
  return found;
}

/** Subscribes, and has the subscription ended by the server. */
function endSubscription({ url, apiKey }: Server, { tenantId, storeId }: StreamRef): Promise<unknown> {
  const address = `${url.replace("http", "ws")}/api/v1/ves/live?tenant_id=${tenantId}&store_id=${storeId}`;
  const socket = new WebSocket(address, ["ves.v1", `ves.key.${toBase64Url(utf8(apiKey))}`]);
  socket.addEventListener("open", () => socket.send("hello"));
  return once(socket, "close");
}

describe("of a server with traffic", () => {
  let anchored: AnchoredServer;
  let shown: ReadonlyMap<string, number>;

  beforeAll(async () => {
    const variables = { PUBLIC_AGENT_REGISTRATION_ENABLED: "1", PUBLIC_AGENT_REGISTRATION_RATE_LIMIT_PER_MINUTE: "1" };
    anchored = await startAnchoredServer(inject("postgresUrl"), variables);
    const server = anchored.server();
    const stream = await newAnchoredStream(anchored.server);
    await stream.seal(3);
    await anchored.whileMining(() => server.runCron());
    const signer = await newSigner(crypto.randomUUID(), crypto.randomUUID());
    await registerKey(server, signer);
    const fact = { entityType: "order", entityId: "1", eventType: "order.created", payload: 1 };
    await push(server, signer.agentId, [
      { ...(await signEvent(signer, fact)), agent_signature: `0x${"00".repeat(64)}` },
    ]);
    const register = (): Promise<unknown> =>
      call(server, "POST", "/api/v1/agents/register", { name: "a" }).catch(() => undefined);
    await register();
    await register();
    await call({ ...server, apiKey: "wrong" }, "GET", "/metrics").catch(() => undefined);
    await endSubscription(server, stream);
    const isReported = async (): Promise<boolean> => {
      shown = await scrape(server);
      const hasEnded = shown.has('sequencer_live_subscriptions_ended_total{code="4400"}');
      return hasEnded && (shown.get("sequencer_events_sequenced") ?? 0) >= 3;
    };
    await waitUntil(isReported, 20_000, "the stream has reported");
  });
  afterAll(async () => {
    await anchored.close();
    removeTempDirs();
  });

  test("every expression asks for series that are there, by labels that they have", () => {
    expect(expressions.length).toBeGreaterThan(40);
    const series = [...shown.keys()];
    for (const [title, expression] of expressions) {
      const asked = selectors(expression);
      expect(asked.length, title).toBeGreaterThan(0);
      for (const { metric, labels } of asked) {
        const present = series.filter((name) => name === metric || name.startsWith(`${metric}{`));
        expect(present, `${title}: ${metric}`).not.toEqual([]);
        for (const label of labels) expect(present.join("\n"), `${title}: ${label}`).toContain(`${label}="`);
      }
    }
  });

  test("everything of the catalogue is shown, and nothing else", () => {
    const names = [...shown.keys()].map((series) => series.replace(/\{.*/, ""));
    const base = new Set(names.map((name) => name.replace(/_(bucket|sum|count)$/, "")));
    const catalogue = [COUNTERS, HISTOGRAMS, GAUGES].flatMap((part) => Object.keys(part));
    expect(base).toEqual(new Set([...catalogue, EVENTS_SEQUENCED.name]));
  });
});

test("docs/observability.md lists every metric, and every alert", () => {
  const document = read("docs/observability.md");
  const listed = [...document.matchAll(/^\| `(sequencer_\w+)`/gm)].map(([, name]) => name);
  const catalogue = [COUNTERS, HISTOGRAMS, GAUGES].flatMap((part) => Object.keys(part));
  expect(new Set(listed)).toEqual(new Set([...catalogue, EVENTS_SEQUENCED.name]));
  for (const { alert } of rules) expect(document).toContain(`\`${alert}\``);
});

test("every alert says how bad it is, and what has happened", () => {
  expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
  for (const { alert, labels, annotations } of rules) {
    expect(["critical", "warning"], alert).toContain(labels.severity);
    expect(annotations.summary.length, alert).toBeGreaterThan(10);
  }
});

test.each(["sum(rate(sequencer_events_sequenced[5m])", "rate(x[5m)", ""])(
  "%s is seen to be no PromQL",
  (expression) => {
    expect(() => selectors(expression)).toThrow(/^no PromQL/);
  },
);
