import { COUNTERS, EVENTS_SEQUENCED, GAUGES, type GaugeName, HISTOGRAMS } from "./catalogue.ts";
import { metricOf, type SeriesNumbers } from "./series-table.ts";

/** Of the text format that Prometheus reads. */
export const EXPOSITION_TYPE = "text/plain; version=0.0.4; charset=utf-8";

export type Gauges = Readonly<Partial<Record<GaugeName, number>>>;

/** Gauges in the order of the catalogue; those without a value are left out. */
export function gaugesText(gauges: Gauges): string {
  return Object.entries(GAUGES)
    .flatMap(([name, help]) => {
      const value = gauges[name as GaugeName];
      return value === undefined ? [] : [metricText({ name, help, type: "gauge" }, [`${name} ${value}`])];
    })
    .join("");
}

/** Of the streams that are told of. */
export function sequencedText(events: number): string {
  const { name, help } = EVENTS_SEQUENCED;
  return metricText({ name, help, type: "counter" }, [`${name} ${events}`]);
}

/** Every counter and histogram of the catalogue: one without labels that was never counted is 0. */
export function seriesText(series: SeriesNumbers): string {
  const byMetric = Map.groupBy(Object.entries(series), ([name]) => metricOf(name));
  const counters = Object.entries(COUNTERS).map(([name, { help, labels }]) => {
    const counted = byMetric.get(name) ?? [];
    const lines = counted.map(([key, [value = 0]]) => `${key} ${value}`);
    return metricText(
      { name, help, type: "counter" },
      lines.length === 0 && labels.length === 0 ? [`${name} 0`] : lines,
    );
  });
  const histograms = Object.entries(HISTOGRAMS).map(([name, { help, labels, buckets }]) => {
    const observed = (byMetric.get(name) ?? []).filter(([, numbers]) => numbers.length === buckets.length + 2);
    const none = [...buckets, 0, 0].map(() => 0);
    const present = observed.length === 0 && labels.length === 0 ? [[name, none] as const] : observed;
    const lines = present.flatMap(([key, numbers]) => histogramLines(name, key, numbers, buckets));
    return metricText({ name, help, type: "histogram" }, lines);
  });
  return [...counters, ...histograms].join("");
}

function histogramLines(name: string, key: string, numbers: readonly number[], buckets: readonly number[]): string[] {
  // `{a="b"}` without its braces, and nothing of a series without labels.
  const labels = key.slice(name.length + 1, -1);
  const named = (suffix: string, ...more: string[]): string => {
    const all = [...(labels === "" ? [] : [labels]), ...more].join(",");
    return `${name}${suffix}${all === "" ? "" : `{${all}}`}`;
  };
  let count = 0;
  const lines = [...buckets, "+Inf"].map((bound, index) => {
    count += numbers[index] ?? 0;
    return `${named("_bucket", `le="${bound}"`)} ${count}`;
  });
  return [...lines, `${named("_sum")} ${numbers.at(-1) ?? 0}`, `${named("_count")} ${count}`];
}

function metricText(
  { name, help, type }: { readonly name: string; readonly help: string; readonly type: string },
  lines: readonly string[],
): string {
  if (lines.length === 0) return "";
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join("\n")}\n`;
}
