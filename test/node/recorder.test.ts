import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { seriesText } from "../../src/observe/exposition.ts";
import { type Piece, Recorder } from "../../src/observe/recorder.ts";
import { MAX_SERIES_OF_A_METRIC, SeriesTable } from "../../src/observe/series-table.ts";
import { Totals } from "../../src/observe/totals.ts";

const INGESTED = "sequencer_events_ingested";

describe("recorders and totals", () => {
  test("whatever is lost, repeated or overtaken on its way, everything counts once in the end", async () => {
    /** What becomes of an attempt to deliver: it is lost, its answer is, or neither; or the totals are read from disk again. */
    const fate = fc.constantFrom("delivered", "lost", "answer lost", "reloaded");
    const step = fc.record({ recorder: fc.nat(2), by: fc.integer({ min: 1, max: 50 }), fate });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        let totals = new Totals();
        const recorders = [new Recorder(), new Recorder(), new Recorder()];
        const late: Piece[] = [];
        let expected = 0;
        for (const { recorder: index, by, fate: becomes } of steps) {
          const recorder = recorders[index] ?? new Recorder();
          recorder.count(INGESTED, {}, by);
          expected += by;
          const send = (piece: Piece): Promise<void> => {
            late.push(piece);
            if (becomes === "lost") return Promise.reject(new Error("lost"));
            totals.add(piece);
            if (becomes === "reloaded") totals = new Totals(structuredClone(totals.toStored()));
            return becomes === "answer lost" ? Promise.reject(new Error("answer lost")) : Promise.resolve();
          };
          await recorder.deliver(send).catch(() => undefined);
        }
        const arrive = (piece: Piece): Promise<void> => Promise.resolve(void totals.add(piece));
        for (const recorder of recorders) await recorder.deliver(arrive);
        // What was cut off may arrive at any time.
        for (const piece of late) totals.add(piece);
        expect(totals.read()).toEqual(expected === 0 ? {} : { [INGESTED]: [expected] });
      }),
    );
  });

  test("what is counted during a delivery is in the next one", async () => {
    const recorder = new Recorder();
    const totals = new Totals();
    recorder.count(INGESTED, {}, 1);
    await recorder.deliver((piece) => {
      recorder.count(INGESTED, {}, 10);
      return Promise.resolve(void totals.add(piece));
    });
    expect(totals.read()).toEqual({ [INGESTED]: [1] });
    await recorder.deliver((piece) => Promise.resolve(void totals.add(piece)));
    expect(totals.read()).toEqual({ [INGESTED]: [11] });
  });
});

describe("a table of series", () => {
  test("holds no more of a metric than it may, counts what it drops, and goes on counting what it has", () => {
    const table = new SeriesTable({ 'm{l="a"}': [1] }, 2);
    for (const series of ["b", "c", "a", "d"].map((value) => `m{l="${value}"}`)) table.add(series, [1]);
    expect(table.read()).toEqual({ 'm{l="a"}': [2], 'm{l="b"}': [1], sequencer_metrics_cardinality_overflow: [2] });
    table.add("other", [1]);
    expect(table.read()).toMatchObject({ other: [1] });
    table.take();
    table.add('m{l="c"}', [1]);
    expect(table.read()).toEqual({ 'm{l="c"}': [1] });
  });

  test("has room for every route with every status that the document has for it", () => {
    const url = new URL("../../docs/openapi.json", import.meta.url);
    const { paths } = JSON.parse(readFileSync(url, "utf8")) as {
      paths: Record<string, Record<string, { responses: object }>>;
    };
    const documented = Object.values(paths).flatMap((methods) =>
      Object.entries(methods).flatMap(([method, { responses }]) =>
        // HEAD is served where GET is.
        Array.from({ length: method === "get" ? 2 : 1 }, () => Object.keys(responses)).flat(),
      ),
    );
    expect(documented.length).toBeGreaterThan(500);
    // The rest is for paths and methods that are not there.
    expect(documented.length).toBeLessThan(MAX_SERIES_OF_A_METRIC - 100);
  });

  test("begins a series anew whose buckets have changed", () => {
    const table = new SeriesTable({ a: [1, 2, 3] });
    table.add("a", [1, 1]);
    expect(table.read()).toEqual({ a: [1, 1] });
  });
});

test("Prometheus is told counters, cumulative buckets and escaped labels", async () => {
  const recorder = new Recorder();
  const totals = new Totals();
  recorder.count("sequencer_errors_total", { code: 'a"b\\c\nd' }, 3);
  for (const seconds of [0.001, 0.0011, 0.3, 11]) recorder.observe("sequencer_ingest_latency_seconds", {}, seconds);
  recorder.observe("sequencer_http_request_latency_seconds", { method: "GET", path: "/x" }, 2);
  await recorder.deliver((piece) => Promise.resolve(void totals.add(piece)));
  const text = seriesText(totals.read());
  expect(text).toContain('\n# TYPE sequencer_errors_total counter\nsequencer_errors_total{code="a\\"b\\\\c\\nd"} 3\n');
  expect(text).toContain("# TYPE sequencer_events_ingested counter\nsequencer_events_ingested 0\n");
  expect(text).toContain(
    `# TYPE sequencer_ingest_latency_seconds histogram
sequencer_ingest_latency_seconds_bucket{le="0.001"} 1
sequencer_ingest_latency_seconds_bucket{le="0.005"} 2
`,
  );
  expect(text).toContain(`sequencer_ingest_latency_seconds_bucket{le="10"} 3
sequencer_ingest_latency_seconds_bucket{le="+Inf"} 4
sequencer_ingest_latency_seconds_sum 11.3021
sequencer_ingest_latency_seconds_count 4
`);
  expect(text).toContain('sequencer_http_request_latency_seconds_count{method="GET",path="/x"} 1\n');
  // What has labels and was never counted has no series that could be told.
  expect(text).not.toContain("sequencer_rate_limit_refusals_total");
});
