import { toHex } from "../../src/ves/index.ts";
import { differencesOf, type StreamReport } from "./check-stream.ts";
import type { LogHead } from "./log-source.ts";
import type { Difference, Tally } from "./tally.ts";

/** The whole outcome as one document. docs/fsck.md describes it; member names do not change. */
export function jsonReport(reports: readonly StreamReport[]): string {
  const sum = (of: (report: StreamReport) => number): number => reports.reduce((all, report) => all + of(report), 0);
  const differences = sum(differencesOf);
  const document = {
    ok: differences === 0,
    totals: {
      streams: reports.length,
      events: sum(({ events }) => events),
      batches: sum(({ batches }) => batches),
      differences,
      warnings: sum(({ warnings }) => warnings.length),
    },
    streams: reports.map(streamJson),
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

function streamJson(report: StreamReport) {
  return {
    tenant_id: report.stream.tenantId,
    store_id: report.stream.storeId,
    events: report.events,
    batches: report.batches,
    differences: differencesOf(report),
    log: headJson(report.heads.log),
    database: headJson(report.heads.database),
    checks: report.tallies.map(tallyJson),
    warnings: report.warnings,
  };
}

function headJson(head: LogHead | null) {
  if (head === null) return null;
  return {
    head_sequence: head.headSequence,
    sealed_sequence: head.sealedSequence,
    state_root: head.stateRoot === null ? null : toHex(head.stateRoot),
    frozen: head.frozen,
  };
}

export function tallyJson({ check, source, checked, differences, first }: Tally) {
  return { check, source, checked, differences, first: first.map(differenceJson) };
}

function differenceJson({ sequenceNumber, member, expected, found }: Difference) {
  return { sequence_number: sequenceNumber, member, expected, found };
}
