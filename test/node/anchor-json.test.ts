import { describe, expect, it } from "vitest";
import { BOOTSTRAP_ADMIN } from "../../src/access/principal.ts";
import type { AnchorNowResult, ChainAnswer } from "../../src/anchor/messages.ts";
import { RequestError } from "../../src/errors.ts";
import { anchoringJson, setupMessage, verificationJson } from "../../src/http/anchor-json.ts";

const BATCH = "6f1d3c0a-8f2b-4f7e-9a51-0d6c1b2e3f40";
const found = {
  stream: { tenantId: crypto.randomUUID(), storeId: crypto.randomUUID() },
  batch: {
    batchId: BATCH,
    sequenceStart: 4,
    sequenceEnd: 9,
    merkleRoot: new Uint8Array(32).fill(0xab),
    prevStateRoot: new Uint8Array(32),
    newStateRoot: new Uint8Array(32).fill(1),
    committedAt: 0,
    anchor: null,
  },
};
const place = { chainId: 84_532, txHash: new Uint8Array(32).fill(0xcd), blockNumber: 77, isFinal: false };
const named = { batch_id: BATCH, merkle_root: "ab".repeat(32), sequence_start: 4, sequence_end: 9 };

function errorOf(work: () => unknown): Pick<RequestError, "code" | "message" | "details" | "retryAfter"> {
  try {
    work();
  } catch (error) {
    if (error instanceof RequestError) {
      const { code, message, details, retryAfter } = error;
      return { code, message, details, retryAfter };
    }
    throw error;
  }
  throw new Error("nothing was thrown");
}

describe("what became of a batch that was to be anchored", () => {
  it.each<[AnchorNowResult, object]>([
    [
      { kind: "anchored", place, wasThere: false },
      {
        status: "anchored",
        is_final: false,
        chain_id: 84_532,
        chain_tx_hash: "cd".repeat(32),
        chain_block_number: 77,
      },
    ],
    [
      { kind: "anchored", place: { ...place, isFinal: true }, wasThere: true },
      {
        status: "already_anchored",
        is_final: true,
        chain_id: 84_532,
        chain_tx_hash: "cd".repeat(32),
        chain_block_number: 77,
      },
    ],
    [
      { kind: "anchored", place: { ...place, txHash: null, blockNumber: null, isFinal: true }, wasThere: true },
      { status: "already_anchored", is_final: true, chain_id: 84_532, chain_tx_hash: null, chain_block_number: null },
    ],
    [
      { kind: "submitted", txHash: place.txHash },
      { status: "submitted", is_final: false, chain_id: 1, chain_tx_hash: "cd".repeat(32), chain_block_number: null },
    ],
    [
      { kind: "submitted", txHash: null },
      { status: "submitted", is_final: false, chain_id: 1, chain_tx_hash: null, chain_block_number: null },
    ],
  ])("%j", (result, json) => {
    expect(anchoringJson(found, result, 1)).toEqual({ ...named, ...json });
  });

  it.each<[AnchorNowResult, object]>([
    [
      { kind: "refused", reason: "WrongStateRoot" },
      { code: "ANCHOR_FAILED", message: `Batch ${BATCH} cannot be anchored: WrongStateRoot`, retryAfter: undefined },
    ],
    [
      { kind: "not_mirrored" },
      {
        code: "SERVICE_UNAVAILABLE",
        message: `Batch ${BATCH} is not in Postgres yet, and is anchored from there: repeat the request`,
        retryAfter: 1,
      },
    ],
    [
      { kind: "unavailable", message: "The chain does not answer" },
      { code: "SERVICE_UNAVAILABLE", message: "The chain does not answer", retryAfter: 1 },
    ],
  ])("an error that names the batch: %j", (result, error) => {
    expect(errorOf(() => anchoringJson(found, result, 1))).toEqual({ ...error, details: { batch_id: BATCH } });
  });

  it("an error where nothing is anchored", () => {
    const result = { kind: "not_configured", message: "No contract is set" } as const;
    expect(errorOf(() => anchoringJson(found, result, null))).toMatchObject({
      code: "ANCHOR_NOT_CONFIGURED",
      message: "No contract is set",
    });
  });
});

describe("what the contract says", () => {
  const answer = { kind: "answer", chainId: 5, contract: "0xc0", blockNumber: 9 } as const;
  const read = { batch_id: BATCH, chain_id: 5, contract_address: "0xc0", block_number: 9 };

  it.each<[isAnchored: boolean, isSame: boolean, isFinal: boolean, anchored: boolean, mismatch: boolean]>([
    [false, false, false, false, false],
    [true, true, false, true, false],
    [true, true, true, true, false],
    [true, false, true, false, true],
  ])("anchored %s, the same %s, final %s", (isAnchored, isSame, isFinal, anchored, mismatch) => {
    const given: ChainAnswer = { ...answer, isAnchored, isSame, isFinal };
    const json = { ...read, anchored_on_chain: anchored, mismatch, is_final: isFinal };
    expect(verificationJson(BATCH, given)).toEqual(json);
  });

  it("is an error while it cannot be asked", () => {
    const away = { kind: "unavailable", message: "The chain does not answer" } as const;
    expect(errorOf(() => verificationJson(BATCH, away))).toMatchObject({ code: "SERVICE_UNAVAILABLE", retryAfter: 1 });
  });
});

it("tells what is wrong with a setup to the bootstrap administrator alone", () => {
  const tenant = { ...BOOTSTRAP_ADMIN, tenantId: crypto.randomUUID() };
  const wrong = { kind: "misconfigured", message: "ANCHOR_PRIVATE_KEY: expected 32 bytes" } as const;
  expect(setupMessage(wrong, BOOTSTRAP_ADMIN)).toBe("ANCHOR_PRIVATE_KEY: expected 32 bytes");
  expect(setupMessage(wrong, tenant)).toBe(
    "The anchoring Worker's configuration is wrong; the bootstrap administrator is told how",
  );
  expect(setupMessage({ kind: "off", message: "nothing is set" }, tenant)).toBe("nothing is set");
  const on = { kind: "on", chainId: 7, contract: "0x1", sequencer: "0x2", confirmations: 3 } as const;
  expect(setupMessage(on, tenant)).toBe("Sealed batches are anchored on chain 7");
});
