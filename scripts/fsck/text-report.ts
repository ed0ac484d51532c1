import { styleText } from "node:util";
import { count, counted } from "../lib/text.ts";
import { differencesOf, type StreamReport } from "./check-stream.ts";
import type { SourceName } from "./log-source.ts";
import { CHECKS, type Difference, type Tally } from "./tally.ts";

const NAME_WIDTH = 18;
const CELL_WIDTH = 20;
/** Hashes and signatures in full; payloads are cut. */
const MAX_VALUE_CHARS = 200;

/** What was found out about a stream, as a table with the first differences below it. */
export function streamText(report: StreamReport): string {
  const { stream, heads, tallies, warnings } = report;
  const sources = (["log", "database"] as const).filter((source) => heads[source] !== null);
  const wrong = tallies.filter(({ differences }) => differences > 0);
  const lines = [
    styleText("bold", `Tenant ${stream.tenantId}, store ${stream.storeId}`),
    ...sources.map((source) => `  ${headText(source, report)}`),
    "",
    row("check", sources),
    ...CHECKS.map((check) =>
      row(
        check.replaceAll("_", " "),
        sources.map((source) => cell(find(tallies, check, source))),
      ),
    ),
    ...(wrong.length === 0 ? [] : [""]),
    ...wrong.flatMap(differenceLines),
    ...(warnings.length === 0 ? [] : [""]),
    ...warnings.map((warning) => `  ${styleText("yellow", "!")} ${warning}`),
  ];
  return `${lines.join("\n")}\n\n`;
}

/** The closing line. */
export function closingText(reports: readonly StreamReport[]): string {
  const sum = (of: (report: StreamReport) => number): number => reports.reduce((all, report) => all + of(report), 0);
  const batches = sum((report) => report.batches);
  const differences = sum(differencesOf);
  const what = [
    counted(reports.length, "stream"),
    counted(
      sum((report) => report.events),
      "event",
    ),
    batches === 1 ? "1 batch" : `${count(batches)} batches`,
  ].join(", ");
  const verdict =
    differences === 0 ? styleText("green", "no differences") : styleText("red", counted(differences, "difference"));
  return `${what}: ${verdict}\n`;
}

function headText(source: SourceName, { heads }: StreamReport): string {
  const head = heads[source];
  if (head === null) return "";
  if (source === "database") return `Database: ${count(head.sealedSequence)} events`;
  return `Log: ${count(head.headSequence)} events, ${count(head.sealedSequence)} of them sealed`;
}

function find(tallies: readonly Tally[], check: string, source: SourceName): Tally | undefined {
  return tallies.find((tally) => tally.check === check && tally.source === source);
}

function row(name: string, cells: readonly string[]): string {
  return `  ${name.padEnd(NAME_WIDTH)}${cells.map((text) => text.padEnd(CELL_WIDTH)).join("")}`.trimEnd();
}

function cell(tally: Tally | undefined): string {
  if (tally === undefined || (tally.checked === 0 && tally.differences === 0)) return "–";
  const { checked, differences } = tally;
  // Padded before it is coloured: the colours' codes have no width.
  if (differences === 0) return styleText("green", `✔ ${count(checked)}`.padEnd(CELL_WIDTH));
  return styleText("red", `✘ ${count(differences)} in ${count(checked)}`.padEnd(CELL_WIDTH));
}

function differenceLines({ check, source, differences, first }: Tally): string[] {
  const title = `${check.replaceAll("_", " ")}, ${source}`;
  const more = differences - first.length;
  return [
    `  ${styleText("red", "✘")} ${title}`,
    ...first.map((difference) => `      ${differenceText(difference)}`),
    ...(more === 0 ? [] : [`      and ${count(more)} more`]),
  ];
}

function differenceText({ sequenceNumber, member, expected, found }: Difference): string {
  const place = sequenceNumber === null ? "" : `#${sequenceNumber} `;
  return `${place}${member === null ? "" : `${member} `}expected ${cut(expected)}, found ${cut(found)}`;
}

function cut(text: string): string {
  return text.length <= MAX_VALUE_CHARS ? text : `${text.slice(0, MAX_VALUE_CHARS)}…`;
}
