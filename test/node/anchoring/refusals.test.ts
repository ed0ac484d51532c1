import { describe, expect, test } from "vitest";
import { stateSetAnchorAbi } from "../../../contracts/abi.ts";
import { DEV_ACCOUNTS, hasAnvil } from "../../../scripts/lib/anvil.ts";
import { uuidWord } from "../../support/anchor-batches.ts";
import {
  asOwner,
  OTHER_SEQUENCER,
  query,
  SEQUENCER,
  walletOf,
  type World,
  type WorldStream,
} from "../../support/anchor-world.ts";
import { withWorlds } from "../../support/anchor-worlds.ts";

const GWEI = 10n ** 9n;

describe.skipIf(!hasAnvil())("what the contract refuses", { timeout: 30_000 }, () => {
  let world: World;
  withWorlds((fresh) => (world = fresh));

  async function streamsWithABatch(count: number): Promise<WorldStream[]> {
    const streams = Array.from({ length: count }, () => world.stream());
    for (const stream of streams) await stream.seal(2);
    return streams;
  }

  /** As somebody who gets around the trigger that records alterations. */
  async function alter(
    batchId: string,
    column: "new_state_root" | "prev_state_root",
    value: Uint8Array,
  ): Promise<void> {
    await world.database.query(
      `SET session_replication_role = replica;
       UPDATE ves_commitments SET ${column} = '\\x${Buffer.from(value).toString("hex")}' WHERE batch_id = '${batchId}'`,
    );
  }

  /** Revokes the account by a transaction that goes before those that wait. */
  async function revokeFirst(): Promise<void> {
    await walletOf(world, DEV_ACCOUNTS[0].privateKey).writeContract({
      address: world.contract,
      abi: stateSetAnchorAbi,
      functionName: "revokeSequencer",
      args: [SEQUENCER.address],
      maxFeePerGas: 100n * GWEI,
      maxPriorityFeePerGas: 100n * GWEI,
    });
  }

  test("a transaction that reverts because another account was faster costs the others one more transaction", async () => {
    const streams = await streamsWithABatch(3);
    const [taken] = streams;
    const [batch] = taken?.batches() ?? [];
    if (taken === undefined || batch === undefined) throw new Error("sealed above");
    await world.call("evm_setAutomine", false);
    await world.round();
    await world.anchorAsOther([{ stream: taken, ...batch }], { maxFeePerGas: 100n * GWEI });
    await world.mine(1);
    const report = await world.round();
    expect(report.problems).toEqual(["a transaction reverted: AlreadyAnchored"]);
    expect(report.sent).toBe(1);
    expect(await query(world, "SELECT status, error FROM ves_anchors ORDER BY error", [])).toEqual([
      { status: "submitted", error: null },
      { status: "submitted", error: null },
      { status: "submitted", error: null },
    ]);
    await world.settle();
    expect(await world.differences()).toEqual([]);
    expect(await query(world, "SELECT status, error FROM ves_anchor_attempts ORDER BY nonce", [])).toEqual([
      { status: "failed", error: "AlreadyAnchored" },
      { status: "settled", error: null },
    ]);
  });

  test("a batch with a wrong state root keeps back its stream alone, and goes when it is right again", async () => {
    const streams = await streamsWithABatch(6);
    const [poisoned] = streams;
    if (poisoned === undefined) throw new Error("sealed above");
    const second = await poisoned.seal();
    await poisoned.seal();
    await alter(second.batchId, "new_state_root", new Uint8Array(32).fill(7));
    const report = await world.round();
    expect(report).toMatchObject({ sent: 1 });
    expect(report.problems).toEqual([
      expect.stringMatching(`^batch ${second.batchId} is not anchored: UnexpectedStateRoot: expected 0x`),
    ]);
    const rows = await query(
      world,
      `SELECT status, error IS NOT NULL AS has_error, failures,
              round(extract(epoch FROM retry_at - now()) / 10)::integer AS tens_of_seconds
         FROM ves_anchors WHERE tenant_id = $1 ORDER BY sequence_start`,
      [poisoned.tenantId],
    );
    expect(rows).toEqual([
      { status: "submitted", has_error: false, failures: 0, tens_of_seconds: null },
      { status: "pending", has_error: true, failures: 1, tens_of_seconds: 6 },
      { status: "pending", has_error: false, failures: 0, tens_of_seconds: null },
    ]);
    await world.mine(3);
    expect(await world.round()).toMatchObject({ sent: 0, open: 0, problems: [] });
    expect(streams.map((stream) => stream.anchoredSequence())).toEqual([2, 2, 2, 2, 2, 2]);
    // It is tried again, and waits for twice as long.
    await world.elapse();
    expect((await world.round()).problems).toHaveLength(1);
    expect((await world.round()).problems).toEqual([]);
    expect(
      await query(
        world,
        "SELECT failures FROM ves_anchors WHERE batch_id = $1 AND retry_at > now() + interval '90 s'",
        [second.batchId],
      ),
    ).toEqual([{ failures: 2 }]);
    await alter(second.batchId, "new_state_root", second.newStateRoot);
    await world.settle();
    expect(await world.differences()).toEqual([]);
    expect(
      await query(world, "SELECT failures, error FROM ves_anchors WHERE error IS NOT NULL OR failures > 0", []),
    ).toEqual([]);
  });

  test("a batch that does not follow on what the contract holds waits, and does not wait longer with every round", async () => {
    const [stream, other] = await streamsWithABatch(2);
    await world.settle();
    if (stream === undefined || other === undefined) throw new Error("sealed above");
    const second = await stream.seal();
    await other.seal();
    await alter(second.batchId, "prev_state_root", new Uint8Array(32).fill(7));
    const report = await world.round();
    expect(report).toMatchObject({ sent: 1 });
    expect(report.problems).toEqual([
      `batch ${second.batchId} is not anchored: the contract holds the stream up to 2, as the stream itself does, and Postgres does not: its mirror is behind, or was altered`,
    ]);
    for (let rounds = 0; rounds < 3; rounds++) expect((await world.round()).problems).toEqual([]);
    expect(await query(world, "SELECT failures FROM ves_anchors WHERE batch_id = $1", [second.batchId])).toEqual([
      { failures: 1 },
    ]);
    expect(stream.frozenByChain()).toBeNull();
    await alter(second.batchId, "prev_state_root", second.prevStateRoot);
    await world.settle();
    expect(await world.differences()).toEqual([]);
  });

  test("a batch whose id the contract holds for another stream is refused, and all others go in the same round", async () => {
    const streams = await streamsWithABatch(4);
    const [poisoned, ...others] = streams;
    const stranger = world.stream();
    const strange = await stranger.seal();
    const [batch] = poisoned?.batches() ?? [];
    if (poisoned === undefined || batch === undefined) throw new Error("sealed above");
    await world.anchorAsOther([{ stream: stranger, ...strange, batchId: batch.batchId }]);
    const report = await world.round();
    expect(report.sent).toBe(1);
    expect(report.problems).toContain(`batch ${batch.batchId} is not anchored: AlreadyAnchored`);
    await world.mine(3);
    await world.round();
    expect(others.map((stream) => stream.anchoredSequence())).toEqual([2, 2, 2]);
    expect(await world.rows(poisoned)).toMatchObject([{ status: "pending", error: "AlreadyAnchored" }]);
    // Under another id, the stranger's history is on chain: that is a difference.
    expect(await world.rows(stranger)).toMatchObject([{ status: "pending" }]);
  });

  test("an account that was revoked is refused with a clear reason, and goes on once it is authorised again", async () => {
    const [stream] = await streamsWithABatch(3);
    await asOwner(world, { functionName: "revokeSequencer", args: [SEQUENCER.address] });
    const report = await world.round();
    expect(report.sent).toBe(0);
    expect(report.problems).toHaveLength(3);
    for (const problem of report.problems) {
      expect(problem).toContain(
        `${SEQUENCER.address} is not an authorised sequencer, or the stream is pinned to others`,
      );
    }
    await asOwner(world, { functionName: "authorizeSequencer", args: [SEQUENCER.address] });
    expect(await world.round()).toMatchObject({ sent: 0, problems: [] });
    // Whoever asks for a batch does not wait for its time to come.
    expect((await world.round(world.place)).sent).toBe(0);
    await world.settle();
    expect(stream?.anchoredSequence()).toBe(2);
    expect(await world.differences()).toEqual([]);
  });

  test("an account that is revoked while its transaction waits loses that one, and the batches go later", async () => {
    await streamsWithABatch(3);
    await world.call("evm_setAutomine", false);
    await world.round();
    await revokeFirst();
    await world.mine(1);
    const report = await world.round();
    expect(report.problems[0]).toBe(`a transaction reverted: SequencerNotAuthorized: account ${SEQUENCER.address}`);
    await world.call("evm_setAutomine", true);
    await asOwner(world, { functionName: "authorizeSequencer", args: [SEQUENCER.address] });
    await world.settle();
    expect(await world.differences()).toEqual([]);
  });

  test("a stream that is pinned to others is refused, the others go, and so does it once it is pinned to this account", async () => {
    const [pinned, free] = await streamsWithABatch(2);
    if (pinned === undefined || free === undefined) throw new Error("sealed above");
    const ids = [uuidWord(pinned.tenantId), uuidWord(pinned.storeId)] as const;
    await asOwner(world, { functionName: "pinStream", args: [...ids, [OTHER_SEQUENCER.address]] });
    const report = await world.round();
    expect(report).toMatchObject({ sent: 1 });
    expect(report.problems).toHaveLength(1);
    await world.mine(3);
    await world.round();
    expect([pinned.anchoredSequence(), free.anchoredSequence()]).toEqual([0, 2]);
    await asOwner(world, { functionName: "pinStream", args: [...ids, [SEQUENCER.address, OTHER_SEQUENCER.address]] });
    await world.settle();
    expect(await world.differences()).toEqual([]);
  });

  test("a stream of which Postgres lacks a batch waits for that one, and the others go", async () => {
    const [stream, other] = await streamsWithABatch(2);
    if (stream === undefined || other === undefined) throw new Error("sealed above");
    const missing = await stream.seal();
    const last = await stream.seal();
    await world.database.query(
      `CREATE TABLE kept AS SELECT * FROM ves_commitments WHERE batch_id = '${missing.batchId}';
       SET session_replication_role = replica; DELETE FROM ves_commitments WHERE batch_id = '${missing.batchId}'`,
    );
    try {
      const report = await world.round();
      expect(report.problems).toEqual([
        expect.stringMatching(`^batch ${last.batchId} is not anchored: UnexpectedStart: expected 3, given 6`),
      ]);
      await world.mine(3);
      await world.round();
      await world.elapse();
      expect((await world.round()).problems).toEqual([
        `batch ${last.batchId} is not anchored: the contract holds the stream up to 2, and Postgres lacks the batch after that`,
      ]);
      expect((await world.round()).problems).toEqual([]);
      expect([stream.anchoredSequence(), other.anchoredSequence()]).toEqual([2, 2]);
      await world.database.query("INSERT INTO ves_commitments SELECT * FROM kept");
    } finally {
      await world.database.query("DROP TABLE kept");
    }
    await world.settle();
    expect(await world.differences()).toEqual([]);
  });

  test("what somebody claims to have anchored is sent, once the batch after it shows that the contract lacks it", async () => {
    const [stream] = await streamsWithABatch(1);
    await world.database.query(
      `UPDATE ves_anchors SET status = 'anchored', chain_id = 1, tx_hash = '\\x${"ab".repeat(32)}', anchored_at = now(),
              revision = revision + 1`,
    );
    expect(await world.round()).toMatchObject({ sent: 0, problems: [] });
    expect(stream?.anchoredSequence()).toBe(2);
    await stream?.seal();
    await world.round();
    expect(stream?.anchoredSequence()).toBe(0);
    await world.settle();
    expect(await world.differences()).toEqual([]);
  });

  test("more refused batches than one round leaves out do not keep back the others for long", async () => {
    const streams = await streamsWithABatch(30);
    for (const stream of streams.slice(0, 25)) {
      await alter(stream.batches()[0]?.batchId ?? "", "new_state_root", new Uint8Array(32).fill(9));
    }
    await world.round();
    await world.round();
    await world.mine(3);
    await world.round();
    expect(streams.slice(25).map((stream) => stream.anchoredSequence())).toEqual([2, 2, 2, 2, 2]);
    for (const stream of streams.slice(0, 25)) {
      const [batch] = stream.batches();
      if (batch !== undefined) await alter(batch.batchId, "new_state_root", batch.newStateRoot);
    }
    await world.settle();
    expect(await world.differences()).toEqual([]);
  });
});
