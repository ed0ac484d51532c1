import { z } from "zod";
import { streamQuery } from "../../context.ts";
import { eventsAnswer } from "../../answers.ts";
import { evidenceForm } from "../../evidence.ts";
import { AgentError } from "../../errors.ts";
import { DATA_NOTICE, DATA_WARNING, noticeField, sequenceField, timeoutField } from "../fields.ts";
import { checkedRow } from "../events.ts";
import { defineTool, READS } from "../tool.ts";

/** Batches are sealed five seconds after their first event at the latest. */
const DEFAULT_TIMEOUT_MS = 10_000;
const MAX_TIMEOUT_MS = 60_000;

export const getInclusionProof = defineTool({
  name: "stateset_get_inclusion_proof",
  title: "Proof of an event",
  description: `Evidence that the event with this number is in the log: the event as it was signed, its receipt, its path to the root of
its sealed batch, and the signing agent's keys. It was verified, and anybody who has the sequencer's public key can verify it
again, with verifyEvidence of @stateset/agent/protocol. ${DATA_WARNING}`,
  annotations: READS,
  input: z.strictObject({
    sequenceNumber: sequenceField,
    timeoutMs: timeoutField(DEFAULT_TIMEOUT_MS, MAX_TIMEOUT_MS),
  }),
  output: z.object({
    notice: noticeField,
    sequenceNumber: z.int(),
    eventId: z.string(),
    batchId: z.string(),
    merkleRoot: z.string(),
    stateRoot: z.string().describe("Of the log with this batch"),
    checks: z.array(z.string()).describe("What was verified"),
    evidence: evidenceForm.describe("To be kept or handed on as it is"),
  }),
  run: ({ agent, context, waits }, { sequenceNumber, timeoutMs }, signal) =>
    waits(async () => {
      const path = `/api/v1/ves/events?${streamQuery(context)}&from=${sequenceNumber}&limit=1`;
      const { events, head_sequence: head } = await context.api.get(path, eventsAnswer, { signal });
      const [found] = events;
      if (found === undefined) throw new AgentError("NOT_FOUND", `The log's last number is ${head}`);
      const { eventId, sequenceNumber: number } = await checkedRow(context, found.envelope, signal);
      const evidence = await agent.proof(eventId, { timeoutMs, signal });
      const { inclusion } = evidence;
      if (number !== sequenceNumber || inclusion.sequence_number !== sequenceNumber) {
        throw new AgentError(
          "LOG_CONTRADICTION",
          `Event ${eventId} is proven at another number than ${sequenceNumber}`,
        );
      }
      const { passed } = await agent.verify(evidence);
      return {
        notice: DATA_NOTICE,
        sequenceNumber,
        eventId,
        batchId: inclusion.batch_id,
        merkleRoot: inclusion.merkle_root,
        stateRoot: inclusion.new_state_root,
        checks: [...passed],
        evidence,
      };
    }),
});
