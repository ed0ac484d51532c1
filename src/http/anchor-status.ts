import { z } from "zod";
import { type Principal, requireFlag } from "../access/principal.ts";
import { anchorSetup } from "../anchor/anchor-client.ts";
import { unavailable } from "../errors.ts";
import { readAnchorCounts, readAnchorRuns } from "../mirror/anchor-progress.ts";
import { log } from "../observe/log.ts";
import { setupMessage } from "./anchor-json.ts";
import { endpoint } from "./endpoint.ts";
import { timeOrNull, timeText } from "./schemas.ts";

const count = z.int().nullable().optional();

const statusResponse = z.object({
  anchor_enabled: z.boolean(),
  message: z.string(),
  chain_id: z.int().nullable(),
  contract_address: z.string().nullable().describe("Hex with 0x"),
  sequencer_address: z.string().nullable().describe("The account that anchors; hex with 0x"),
  confirmations: z.int().nullable().describe("Blocks after which a batch counts as final"),
  last_run_at: timeText.nullable().optional().describe("For administrators, as is all that follows"),
  last_success_at: timeText.nullable().optional(),
  last_error: z
    .string()
    .nullable()
    .optional()
    .describe("For the bootstrap administrator; null when the last run went well"),
  pending: count.describe("Batches to be sent, of the streams that the credential is for"),
  submitted: count.describe("Batches in a transaction that is not final"),
  anchored: count.describe("Batches that are final"),
  conflicts: count.describe("Streams whose history in the contract is not theirs"),
});

type Status = z.output<typeof statusResponse>;

/** How anchoring is set up and how it goes. */
export const anchorStatusEndpoints = [
  endpoint({
    method: "GET",
    path: "/api/v1/anchor/status",
    tag: "Anchoring",
    summary: "Whether and where batches are anchored",
    description: "Administrators are told how it goes too: null stands for what Postgres could not be asked.",
    response: statusResponse,
    handle: async (c): Promise<Status> => {
      const principal = c.get("principal");
      requireFlag(principal, "read", "admin");
      const setup = await anchorSetup(c.env);
      const message = setupMessage(setup, principal);
      if (setup.kind === "unavailable") throw unavailable(message);
      const isOn = setup.kind === "on";
      return {
        anchor_enabled: isOn,
        message,
        chain_id: isOn ? setup.chainId : null,
        contract_address: isOn ? setup.contract : null,
        sequencer_address: isOn ? setup.sequencer : null,
        confirmations: isOn ? setup.confirmations : null,
        ...(principal.permissions.admin ? await progress(c.env.POSTGRES, principal) : {}),
      };
    },
  }),
];

async function progress(hyperdrive: Hyperdrive | undefined, principal: Principal): Promise<Partial<Status>> {
  const [runs, counts] =
    hyperdrive === undefined
      ? [null, null]
      : await Promise.all([
          orNull(readAnchorRuns(hyperdrive, principal)),
          orNull(readAnchorCounts(hyperdrive, principal)),
        ]);
  const isBootstrap = principal.tenantId === null;
  return {
    last_run_at: timeOrNull(runs?.lastRunAt?.getTime() ?? null),
    last_success_at: timeOrNull(runs?.lastSuccessAt?.getTime() ?? null),
    ...(isBootstrap ? { last_error: runs?.lastError ?? null } : {}),
    ...(counts ?? { pending: null, submitted: null, anchored: null, conflicts: null }),
  };
}

async function orNull<T>(question: Promise<T>): Promise<T | null> {
  try {
    return await question;
  } catch (error) {
    log.error("reading how anchoring goes from Postgres failed", { error: String(error) });
    return null;
  }
}
