import { hexToBytes } from "viem";
import { withPostgres } from "../../../src/mirror/postgres.ts";
import type { StreamRef } from "../../../src/stream-ref.ts";
import { AnchorChain } from "./chain.ts";
import { followUp } from "./follow-up.ts";
import { endLease, LeaseLostError, noteTarget, takeLease } from "./lease.ts";
import { forgetRaw } from "./notes/reorganized.ts";
import { change, type StreamObjects } from "./parts.ts";
import { retractReorganized } from "./reorganization.ts";
import { ChainError } from "./rpc-errors.ts";
import { sendPending } from "./sending.ts";
import type { AnchorSettings } from "./settings.ts";
import { tellStreams } from "./telling.ts";

/** Blocks below the head after which transactions are not kept for being sent again. */
const RAW_KEPT_BLOCKS = 5_000;

/** Where anchoring takes place. */
export interface AnchorPlace {
  readonly settings: AnchorSettings;
  readonly hyperdrive: Pick<Hyperdrive, "connectionString">;
  readonly streams: StreamObjects;
}

export interface RoundReport {
  /** Another run was at work; this one did nothing. */
  readonly isBusy: boolean;
  /** The chain or its node ended the round. */
  readonly isChainAway: boolean;
  /** Transactions handed to the node for the first time. */
  readonly sent: number;
  /** Attempts that are not final yet. */
  readonly open: number;
  /** What went wrong, for people: for operators, since it is about streams of all tenants. */
  readonly problems: readonly string[];
}

/**
 * One round of anchoring: takes back what a reorganisation has undone, follows up what was sent, sends what is pending, and
 * tells the streams. What to do follows from the chain and the notes alone, so that it does not matter where an earlier
 * round has ended. Rounds take turns by a lease.
 *
 * @param first the stream that goes before all others
 * @param until when nothing new is begun any more, in milliseconds since the epoch
 * @throws when Postgres fails; the chain's failures are in the report
 */
export async function anchorRound(
  place: AnchorPlace,
  first: StreamRef | null = null,
  until: number = Infinity,
): Promise<RoundReport> {
  const { settings, hyperdrive, streams } = place;
  const chain = new AnchorChain(settings);
  const target = { chainId: settings.chainId, contract: hexToBytes(settings.contract) };
  const nothing = { isBusy: false, isChainAway: false, sent: 0, open: 0 };
  return withPostgres(hyperdrive, async (connection): Promise<RoundReport> => {
    const holder = crypto.randomUUID();
    const lease = await takeLease(connection, holder, target);
    if (lease.kind === "busy") return { ...nothing, isBusy: true, problems: [] };
    const problems: string[] = [];
    const work = async (): Promise<RoundReport> => {
      if (lease.kind === "other_target") throw new ChainError(lease.reason);
      const head = await chain.head();
      const finalBlock = head - settings.confirmations;
      const parts = { settings, target, chain, streams, connection, holder, head, finalBlock, until, problems };
      // Not before the chain and the contract were found: a mistyped address must not stick.
      if (lease.isFirst) await change(parts, (locked) => noteTarget(locked, target));
      await retractReorganized(parts);
      const open = await followUp(parts);
      const sent = await sendPending(parts, first);
      await change(parts, (locked) => forgetRaw(locked, head - RAW_KEPT_BLOCKS));
      return { ...nothing, sent, open: open.length, problems };
    };
    try {
      const report = await work().catch((error: unknown): RoundReport => {
        if (!(error instanceof LeaseLostError || error instanceof ChainError)) throw error;
        problems.push(error.message);
        return {
          ...nothing,
          isBusy: error instanceof LeaseLostError,
          isChainAway: error instanceof ChainError,
          problems,
        };
      });
      problems.push(...(await tellStreams(connection, streams, until)));
      return report;
    } catch (error) {
      problems.push("the run was broken off, and the Worker's log says why");
      throw error;
    } finally {
      await endLease(connection, holder, problems.at(-1) ?? null).catch(() => undefined);
    }
  });
}
