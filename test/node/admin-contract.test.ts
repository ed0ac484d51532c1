import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Anvil, DEV_ACCOUNTS, hasAnvil, startAnvil } from "../../scripts/lib/anvil.ts";
import { runAdmin } from "../support/run-admin.ts";

const [OWNER, SEQUENCER, OTHER] = DEV_ACCOUNTS;
/** Each call is a process of its own. */
const TIMEOUT = 120_000;

test(
  "contract asks for what it needs, and never shows the key",
  () => {
    const usage = (...args: readonly string[]): string => runAdmin("contract", ...args).error;
    expect(usage("burn")).toContain("There is no action burn.");
    expect(usage("show")).toContain("Give --rpc-url.");
    expect(usage("deploy", "--rpc-url", "http://127.0.0.1:9")).toContain("Give at least one --sequencer.");
    expect(usage("deploy", "--rpc-url", "http://127.0.0.1:9", "--sequencer", "0x12")).toContain(
      "--sequencer must be an address, not 0x12.",
    );
    process.env["OWNER_PRIVATE_KEY"] = "0xabc";
    const wrongKey = usage("deploy", "--rpc-url", "http://127.0.0.1:9", "--sequencer", SEQUENCER.address);
    expect(wrongKey).toContain("OWNER_PRIVATE_KEY must be a private key");
    expect(wrongKey).not.toContain("abc");
  },
  TIMEOUT,
);

describe.skipIf(!hasAnvil())("on a chain", () => {
  let anvil: Anvil;
  beforeAll(async () => {
    anvil = await startAnvil();
    process.env["OWNER_PRIVATE_KEY"] = OWNER.privateKey;
  });
  afterAll(async () => {
    delete process.env["OWNER_PRIVATE_KEY"];
    await anvil.stop();
  });

  const ask = (action: string, ...args: readonly string[]) => {
    const { code, out, error } = runAdmin("contract", action, "--rpc-url", anvil.url, "--json", ...args);
    expect({ code, error }).toEqual({ code: 0, error: "" });
    return JSON.parse(out) as Record<string, unknown> & { contract: string };
  };

  test(
    "deploys, authorises, revokes, and says who may anchor",
    () => {
      const wanted = ["--sequencer", SEQUENCER.address];
      expect(ask("deploy", "--dry-run", ...wanted)).toMatchObject({ chain_id: 31_337, gas: expect.any(Number) });
      const { contract } = ask("deploy", ...wanted);
      const at = ["--contract", contract];
      const both = [...at, ...wanted, "--sequencer", OTHER.address];
      const rights = (): unknown => ask("show", ...both)["sequencers"];
      expect(ask("show", ...at)).toMatchObject({ owner: OWNER.address, anchored_batches: 0 });
      expect(rights()).toMatchObject({
        [SEQUENCER.address]: { authorized: true },
        [OTHER.address]: { authorized: false },
      });
      ask("authorize", ...at, "--sequencer", OTHER.address);
      ask("revoke", ...at, ...wanted);
      expect(rights()).toMatchObject({
        [SEQUENCER.address]: { authorized: false },
        [OTHER.address]: { authorized: true },
      });

      const again = runAdmin("contract", "revoke", "--rpc-url", anvil.url, ...at, ...wanted);
      expect(again.code).toBe(1);
      expect(again.error).not.toContain(anvil.url);
    },
    TIMEOUT,
  );

  test(
    "a node that is away is said to be, without its URL",
    () => {
      const { code, error } = runAdmin(
        "contract",
        "show",
        "--rpc-url",
        "http://127.0.0.1:9/secret",
        "--contract",
        OWNER.address,
      );
      expect(code).toBe(1);
      expect(error).toContain("HTTP request failed");
      expect(error).not.toContain("secret");
    },
    TIMEOUT,
  );
});
