import { describe, expect, test } from "vitest";
import { hasAnvil } from "../../../scripts/lib/anvil.ts";
import { seededRandom } from "../../e2e/support/random.ts";
import { query, SEQUENCER, walletOf, type World, type WorldStream } from "../../support/anchor-world.ts";
import { withWorlds } from "../../support/anchor-worlds.ts";
import type { Interference } from "../../support/rpc-proxy.ts";

const SEEDS = process.env["LONG_TESTS"] === "1" ? Array.from({ length: 40 }, (_, index) => index + 1) : [1, 2, 3];
const STEPS = 40;
const METHODS = [
  "eth_call",
  "eth_estimateGas",
  "eth_sendRawTransaction",
  "eth_getTransactionReceipt",
  "eth_getTransactionCount",
  "eth_getLogs",
  "eth_getBlockByNumber",
  "eth_blockNumber",
];
const INTERFERENCES: readonly Interference[] = [
  { kind: "cut" },
  { kind: "answer lost" },
  { kind: "late", ms: 20 },
  { kind: "refuse", message: "internal error" },
  { kind: "refuse", message: "limit exceeded", code: -32005 },
];

describe.skipIf(!hasAnvil())("anchoring under everything at once", { timeout: 120_000 }, () => {
  let world: World;
  withWorlds((fresh) => (world = fresh), { variables: { ANCHOR_REPLACE_SECS: "1" } });

  test.each(SEEDS)("ends with everything anchored once and in order: seed %i", async (seed) => {
    const done: string[] = [];
    try {
      await world.mine(12);
      await live(world, seed, done);
      await world.settle();
      expect(await world.differences()).toEqual([]);
      expect(world.frozen()).toEqual([]);
    } catch (error) {
      throw new Error(`seed ${seed}, after ${done.join(", ")}`, { cause: error });
    }
  });
});

/** Random things, one after the other. What is done is added to `done`. */
async function live(world: World, seed: number, done: string[]): Promise<void> {
  const random = seededRandom(seed);
  const streams: readonly WorldStream[] = Array.from({ length: 3 }, () => world.stream());
  /** Has something happen before one of the round's requests is passed on. */
  const withinRound = async (happen: () => Promise<unknown> | undefined): Promise<void> => {
    let before = random.below(20);
    let happened: Promise<unknown> | undefined;
    world.proxy.interfere = () => {
      if (before-- !== 0) return undefined;
      happened = happen();
      return { kind: "late", ms: 30 };
    };
    await world.round();
    world.proxy.rest();
    await happened;
  };
  const things: Readonly<Record<string, () => Promise<unknown>>> = {
    seal: async () => streams[random.below(streams.length)]?.seal(1 + random.below(3)),
    "seal more": async () => {
      for (const stream of streams) await stream.seal(1);
    },
    round: () => world.round(),
    "another round": () => world.round(),
    "rounds at once": () => Promise.all(Array.from({ length: 2 + random.below(3) }, () => world.round())),
    "the chain moves within a round": () => withinRound(() => world.mine(1 + random.below(4))),
    "a reorganisation within a round": () => withinRound(() => world.reorganize(1 + random.below(6))),
    "another sequencer within a round": () => withinRound(() => things["another sequencer"]?.()),
    "a seal within a round": () => withinRound(() => things["seal"]?.()),
    mine: () => world.mine(1 + random.below(4)),
    reorganise: () => world.reorganize(1 + random.below(6)),
    drop: () => world.call("anvil_dropAllTransactions"),
    "toggle automine": () => world.call("evm_setAutomine", random.chance(0.5)),
    interfere: async () => {
      const [method, kind] = [METHODS[random.below(METHODS.length)], INTERFERENCES[random.below(INTERFERENCES.length)]];
      world.proxy.interfere = (request) => (request.method === method && random.chance(0.7) ? kind : undefined);
    },
    rest: async () => world.proxy.rest(),
    "time passes": async () => {
      await world.elapse();
      await query(world, "UPDATE ves_anchor_transactions SET created_at = created_at - interval '2 s'", []);
    },
    "another program": async () => {
      const nonce = await world.chain.getTransactionCount({ address: SEQUENCER.address });
      const fee = BigInt(1 + random.below(20)) * 10n ** 9n;
      const wallet = walletOf(world, SEQUENCER.privateKey);
      const terms = { gas: 21_000n, maxFeePerGas: fee, maxPriorityFeePerGas: fee };
      // The node may know a better one with this nonce.
      await wallet.sendTransaction({ to: SEQUENCER.address, nonce, ...terms }).catch(() => undefined);
    },
    "another sequencer": async () => {
      const stream = streams[random.below(streams.length)];
      const batch = stream?.batches().find(({ anchor }) => anchor === null);
      if (stream === undefined || batch === undefined) return;
      await world.anchorAsOther([{ stream, ...batch }]).catch(() => undefined);
    },
  };
  const names = Object.keys(things);
  for (let step = 0; step < STEPS; step++) {
    const name = names[random.below(names.length)] ?? "round";
    done.push(name);
    await things[name]?.();
  }
}
