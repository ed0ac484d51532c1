import { z } from "zod";
import { streamQuery } from "../../context.ts";
import { defineTool, READS } from "../tool.ts";

const answer = z.object({
  head_sequence: z.int(),
  sealed_sequence: z.int(),
  anchored_sequence: z.int(),
  mirrored_sequence: z.int(),
  state_root: z.string(),
  frozen: z.string().nullable(),
});

export const getHead = defineTool({
  name: "stateset_get_head",
  title: "Head of the log",
  description: `How far the log of this store is: its last number, up to where it is sealed in batches, anchored on a chain and
mirrored. As the sequencer says; a proof of a single event is stateset_get_inclusion_proof.`,
  annotations: READS,
  input: z.strictObject({}),
  output: z.object({
    headSequence: z.int().describe("Number of the last event; 0 when there is none"),
    sealedSequence: z.int().describe("Events up to here lie in sealed batches"),
    anchoredSequence: z.int().describe("Events up to here are anchored on a chain"),
    mirroredSequence: z.int().describe("Events up to here are in the sequencer's database too"),
    stateRoot: z.string().describe("Of the latest sealed batch, hex"),
    frozen: z.string().nullable().describe("Why the log takes no events; null when it does"),
  }),
  run: async ({ context }, _input, signal) => {
    const head = await context.api.get(`/api/v1/ves/head?${streamQuery(context)}`, answer, { signal });
    return {
      headSequence: head.head_sequence,
      sealedSequence: head.sealed_sequence,
      anchoredSequence: head.anchored_sequence,
      mirroredSequence: head.mirrored_sequence,
      stateRoot: head.state_root,
      frozen: head.frozen,
    };
  },
});
