import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, test } from "vitest";
import { hasAnvil } from "../../../scripts/lib/anvil.ts";
import { AnchorChain } from "../../../workers/anchor/src/chain.ts";
import { readAnchorSettings } from "../../../workers/anchor/src/settings.ts";
import type { AnchorPlace } from "../../../workers/anchor/src/round.ts";
import { asOwner, CONFIRMATIONS, OTHER_SEQUENCER, query, SEQUENCER, type World } from "../../support/anchor-world.ts";
import { withWorlds } from "../../support/anchor-worlds.ts";
import type { RpcRequest } from "../../support/rpc-proxy.ts";

describe.skipIf(!hasAnvil())("a node with limits", { timeout: 30_000 }, () => {
  let world: World;
  withWorlds((fresh) => (world = fresh), { variables: { ANCHOR_REPLACE_SECS: "1" } });

  /** How many blocks' logs a request is for. */
  function blocksOf({ params }: RpcRequest): number {
    const [{ fromBlock, toBlock }] = params as [{ fromBlock: string; toBlock: string }];
    return Number(toBlock) - Number(fromBlock) + 1;
  }

  /** The node says no to logs of more blocks than so many. */
  function limitLogs(blocks: number): void {
    world.proxy.interfere = (request) =>
      request.method === "eth_getLogs" && blocksOf(request) > blocks
        ? { kind: "refuse", code: -32005, message: `query exceeds max block range ${blocks}` }
        : undefined;
  }

  /** As if the transactions under way had been signed so long ago. */
  async function age(seconds: number): Promise<void> {
    await query(world, "UPDATE ves_anchor_transactions SET created_at = created_at - $1 * interval '1 second'", [
      seconds,
    ]);
  }

  describe("of logs", () => {
    async function places(): Promise<Record<string, unknown>[]> {
      return query(
        world,
        `SELECT status, tx_hash IS NOT NULL AS has_hash, block_hash IS NOT NULL AS has_block
           FROM ves_anchors ORDER BY sequence_start`,
        [],
      );
    }

    // A request that is refused is made twice.
    test.each([
      [1, 1],
      [0, 2],
    ])("what was sent is settled, with its place, where logs of %i blocks are allowed", async (blocks, requests) => {
      await world.mine(300);
      await world.stream().seal();
      limitLogs(blocks);
      await world.round();
      await world.mine(CONFIRMATIONS);
      expect(await world.round()).toMatchObject({ open: 0, problems: [] });
      expect(world.proxy.counts.get("eth_getLogs")).toBe(requests);
      expect(await places()).toEqual([{ status: "anchored", has_hash: true, has_block: true }]);
      expect(await world.differences()).toEqual([]);
    });

    test.each([
      [100, true],
      [0, false],
    ])("what somebody else has anchored counts where logs of %i blocks are allowed", async (blocks, isFound) => {
      await world.mine(300);
      const stream = world.stream();
      await world.anchorAsOther([{ stream, ...(await stream.seal()) }]);
      await world.mine(200);
      limitLogs(blocks);
      expect(await world.round()).toMatchObject({ sent: 0, problems: [] });
      expect(await places()).toEqual([{ status: "anchored", has_hash: isFound, has_block: isFound }]);
      expect(await world.differences()).toEqual([]);
    });

    test("a connection that breaks at logs stops nothing either", async () => {
      await world.stream().seal();
      world.proxy.interfere = ({ method }) => (method === "eth_getLogs" ? { kind: "cut" } : undefined);
      await world.round();
      await world.mine(CONFIRMATIONS);
      expect(await world.round()).toMatchObject({ open: 0, problems: [] });
      expect(await world.differences()).toEqual([]);
    });
  });

  test("nothing is asked about nothing", async () => {
    const chain = new AnchorChain(world.place.settings);
    expect(await chain.batchesAt([], 1)).toEqual([]);
    expect(await chain.streamsAt([], 1)).toEqual([]);
    expect(await chain.logsOf([], null, 1)).toEqual(new Map());
    expect(world.proxy.counts).toEqual(new Map());
  });

  test("an estimate that is too low costs one transaction that reverts, and not one in each round", async () => {
    for (let streams = 0; streams < 3; streams++) await world.stream().seal();
    world.proxy.interfere = ({ method }) =>
      method === "eth_estimateGas" ? { kind: "lie", result: () => "0x15f90" } : undefined;
    for (let rounds = 0; rounds < 10; rounds++) {
      await world.round();
      await world.mine(1);
    }
    expect(await world.chain.getTransactionCount({ address: SEQUENCER.address })).toBe(1);
    expect(await query(world, "SELECT status, failures FROM ves_anchors", [])).toEqual(
      Array.from({ length: 3 }, () => ({ status: "pending", failures: 1 })),
    );
    await world.settle();
    expect(await world.differences()).toEqual([]);
  });

  describe("a key that was replaced", () => {
    /** The Worker with the other account's key. */
    function withOtherKey(): AnchorPlace {
      return { ...world.place, settings: { ...world.place.settings, privateKey: OTHER_SEQUENCER.privateKey } };
    }

    /** A batch in a transaction that no node has, of an account that cannot pay for it. */
    async function stuck(): Promise<void> {
      await world.mine(CONFIRMATIONS + 1);
      await world.stream().seal();
      await world.call("evm_setAutomine", false);
      await world.round();
      await world.call("anvil_dropAllTransactions");
      await world.call("anvil_setBalance", SEQUENCER.address, "0x0");
      await world.call("evm_setAutomine", true);
    }

    /** Rounds with the other key until what it sends is final. */
    async function settlesWithOther(): Promise<void> {
      expect(await world.round(withOtherKey())).toMatchObject({ sent: 1 });
      await world.mine(CONFIRMATIONS);
      expect(await world.round(withOtherKey())).toMatchObject({ sent: 0, open: 0, problems: [] });
      // The account that cannot pay may be able to one day.
      expect(await world.differences()).toEqual(["attempts are open"]);
      expect(await query(world, "SELECT status FROM ves_anchor_attempts ORDER BY id", [])).toEqual([
        { status: "open" },
        { status: "settled" },
      ]);
    }

    test("its batches are anchored with the new one when they have waited for long", async () => {
      await stuck();
      expect(await world.round(withOtherKey())).toMatchObject({ sent: 0, open: 1 });
      await query(world, "UPDATE ves_anchor_attempts SET created_at = created_at - interval '11 min'", []);
      await settlesWithOther();
    });

    test("its batches are anchored with the new one at once when the old account may not anchor any more", async () => {
      await stuck();
      await asOwner(world, { functionName: "revokeSequencer", args: [SEQUENCER.address] });
      await world.mine(CONFIRMATIONS);
      await settlesWithOther();
    });

    test("what its account sends in the end is followed up", async () => {
      await stuck();
      await query(world, "UPDATE ves_anchor_attempts SET created_at = created_at - interval '11 min'", []);
      await settlesWithOther();
      await world.call("anvil_setBalance", SEQUENCER.address, "0xde0b6b3a7640000");
      const [old] = await query(
        world,
        "SELECT encode(raw, 'hex') AS raw FROM ves_anchor_transactions WHERE raw IS NOT NULL ORDER BY attempt_id LIMIT 1",
        [],
      );
      await world.call("eth_sendRawTransaction", `0x${String(old?.["raw"])}`);
      await world.mine(CONFIRMATIONS);
      await world.round(withOtherKey());
      expect(await query(world, "SELECT status FROM ves_anchor_attempts ORDER BY id", [])).toEqual([
        { status: "failed" },
        { status: "settled" },
      ]);
      expect(await world.differences()).toEqual([]);
    });
  });

  describe("of what it takes", () => {
    /** The node takes no transaction that does anything, and says so with these words. */
    function refuseTransactions(message: string): void {
      world.proxy.interfere = ({ method, params }) =>
        method === "eth_sendRawTransaction" && String(params?.[0]).length > 500
          ? { kind: "refuse", message }
          : undefined;
    }

    test.each([
      "exceeds block gas limit",
      "tx fee (1.80 ether) exceeds the configured cap (1.00 ether)",
      "oversized data: transaction size 140000, limit 131072",
    ])("a transaction that is refused for good with %j does not keep back others", async (message) => {
      await world.stream().seal();
      refuseTransactions(message);
      expect((await world.round()).problems).toEqual([`the node does not take a transaction: ${message}`]);
      await world.round();
      expect(await query(world, "SELECT status FROM ves_anchors", [])).toEqual([{ status: "submitted" }]);
      await age(2);
      await world.round();
      expect(await query(world, "SELECT status, failures, error FROM ves_anchors", [])).toEqual([
        { status: "pending", failures: 1, error: `the node does not take its transaction: ${message}` },
      ]);
      expect(await world.chain.getTransactionCount({ address: SEQUENCER.address })).toBe(1);
      expect(await world.round()).toMatchObject({ sent: 0, problems: [] });
      await world.settle();
      expect(await world.differences()).toEqual([]);
    });

    test.each(["txpool is full", "insufficient funds for gas * price + value", "internal error"])(
      "a transaction that is refused for now with %j waits",
      async (message) => {
        await world.stream().seal();
        refuseTransactions(message);
        await world.round();
        await age(200);
        await world.round();
        expect(await query(world, "SELECT status, failures FROM ves_anchors", [])).toEqual([
          { status: "submitted", failures: 0 },
        ]);
        expect(await world.chain.getTransactionCount({ address: SEQUENCER.address })).toBe(0);
        await world.settle();
        expect(await world.differences()).toEqual([]);
      },
    );
  });

  describe("of whom it answers", () => {
    const SECRETS = ["path-key-0123456789", "query+key/0123456789", "user-0123", "pass-0123"];

    /** What a round says of an endpoint that answers everything so, asked at a URL full of secrets. */
    async function problemsWith(status: number, body: (url: URL) => string, type: string): Promise<string> {
      const server = createServer((_, response) => {
        response.writeHead(status, { "content-type": type }).end(body(url));
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      const { port } = server.address() as AddressInfo;
      const [path, value, user, password] = SECRETS.map(encodeURIComponent);
      const url = new URL(`http://${user}:${password}@127.0.0.1:${port}/v2/${path}?apikey=${value}`);
      try {
        const rpcUrl = url.href;
        const { problems } = await world.round({ ...world.place, settings: { ...world.place.settings, rpcUrl } });
        return problems.join("\n");
      } finally {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      }
    }

    /** What providers repeat: the URL without its scheme, its parts, and the key as it is meant. */
    const echo = ({ host, hostname, pathname, search }: URL): string =>
      `getaddrinfo ENOTFOUND ${hostname}: ${host}${pathname}${search} for ${SECRETS.join(" and ")}`;

    test.each<[string, number, (url: URL) => string, string, string]>([
      ["a page that refuses", 401, echo, "text/html", "the chain's node: HTTP request failed, status 401"],
      ["a page in its place", 200, echo, "text/html", "the chain's node: its answer is not JSON"],
      [
        "an error that is no error of JSON-RPC",
        403,
        (url) => JSON.stringify({ error: echo(url) }),
        "application/json",
        "the chain's node: HTTP request failed, status 403",
      ],
      [
        "an error of JSON-RPC",
        200,
        (url) => JSON.stringify({ jsonrpc: "2.0", id: 1, error: { code: -32000, message: echo(url) } }),
        "application/json",
        "the chain's node: getaddrinfo ENOTFOUND (its URL): (its URL)/v2/(its URL)?apikey=(its URL) for (its URL) and (its URL) and (its URL) and (its URL)",
      ],
    ])("%s tells nothing of the URL", async (_, status, body, type, expected) => {
      expect(await problemsWith(status, body, type)).toBe(expected);
      const [noted] = await query(world, "SELECT last_error FROM ves_anchor_state", []);
      expect(noted).toEqual({ last_error: expected });
    });

    test("a host that is not found is not named", async () => {
      const settings = readAnchorSettings({
        L2_RPC_URL: "http://key-0123456789.rpc.invalid/",
        L2_CHAIN_ID: 1,
        SET_REGISTRY_ADDRESS: world.contract,
        SEQUENCER_PRIVATE_KEY: SEQUENCER.privateKey,
      });
      if (settings === null) throw new Error("the settings are complete");
      await expect(new AnchorChain(settings).head()).rejects.toThrow(/^the chain's node: (?!.*(invalid|key-0))/);
    });
  });
});
