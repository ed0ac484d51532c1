import { z } from "zod";

/** How far the agent has acknowledged the log, as the sequencer answers it and as tools do. */
export const cursorField = z.object({
  acknowledgedSequence: z.int().describe("Up to here the agent has dealt with the log"),
  headSequence: z.int().describe("Number of the last event"),
  lag: z.int().describe("Events that are not acknowledged"),
  updatedAt: z.string().nullable(),
});
