import { callPatiently } from "../fsck/retry.ts";
import { call } from "../lib/client.ts";
import { counted } from "../lib/text.ts";
import { UsageError } from "../lib/usage.ts";
import { serverCommand } from "./server-command.ts";
import { requireUuid, wholeNumber } from "./server-options.ts";

interface Anchoring {
  readonly batch_id: string;
  readonly status: string;
  readonly chain_tx_hash: string | null;
  readonly sequence_start: number;
  readonly sequence_end: number;
}

interface Head {
  readonly head_sequence: number;
  readonly sealed_sequence: number;
}

const DEFAULT_MAX_EVENTS = 1_024;

export const commitAndAnchor = serverCommand({
  summary: "seals a stream's events now, and sends their batch to the chain",
  usage: `commit-and-anchor --tenant ID --store ID [options]

Seals what is not sealed yet, or the range that is given, as one batch, and has it anchored. When an error names a batch, it
was sealed all the same: the anchoring Worker sends it with its next run.

  --tenant ID        the stream's tenant
  --store ID         and its store
  --sequence-start N --sequence-end N
                     the range; it must begin where the last batch ends
  --max-events N     without a range: most events of the batch, ${DEFAULT_MAX_EVENTS} when not given
  --dry-run          say what would be sealed, and change nothing
`,
  options: {
    tenant: { type: "string" },
    store: { type: "string" },
    "sequence-start": { type: "string" },
    "sequence-end": { type: "string" },
    "max-events": { type: "string" },
    "dry-run": { type: "boolean" },
  },
  run: async (server, values, progress) => {
    const tenantId = requireUuid("--tenant", values.tenant);
    const storeId = requireUuid("--store", values.store);
    const start = wholeNumber("--sequence-start", values["sequence-start"], 1);
    const end = wholeNumber("--sequence-end", values["sequence-end"], 1);
    const maxEvents = wholeNumber("--max-events", values["max-events"], 1);
    if ((start === undefined) !== (end === undefined)) {
      throw new UsageError("Give --sequence-start and --sequence-end together.");
    }
    if (values["dry-run"] === true) {
      const path = `/api/v1/ves/head?tenant_id=${tenantId}&store_id=${storeId}`;
      const { head_sequence: head, sealed_sequence: sealed } = await callPatiently<Head>(server, "GET", path);
      const from = start ?? sealed + 1;
      const to = end ?? Math.min(head, sealed + (maxEvents ?? DEFAULT_MAX_EVENTS));
      const what = to < from ? "Nothing would be sealed: all events are." : `${eventsText(from, to)} would be sealed.`;
      const json = { tenant_id: tenantId, store_id: storeId, dry_run: true, events: Math.max(0, to - from + 1) };
      return { json, text: `${what}\n` };
    }
    progress.start("Anchor");
    const body = { tenantId, storeId, sequenceStart: start, sequenceEnd: end, maxEvents };
    const answer = await call<Anchoring>(server, "POST", "/api/v1/ves/commitments/anchor", body);
    const sealed = eventsText(answer.sequence_start, answer.sequence_end);
    const transaction = answer.chain_tx_hash === null ? "" : ` in transaction ${answer.chain_tx_hash}`;
    const status = answer.status.replace("_", " ");
    return { json: answer, text: `${sealed} are batch ${answer.batch_id}: ${status}${transaction}.\n` };
  },
});

function eventsText(from: number, to: number): string {
  return `${counted(to - from + 1, "event")}, ${from} to ${to},`;
}
