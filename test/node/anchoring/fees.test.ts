import { describe, expect, test } from "vitest";
import { type Fees, firstFees, raisedFees } from "../../../workers/anchor/src/fees.ts";

const LIMIT = 1_000_000n;

function fees(maxFeePerGas: bigint, maxPriorityFeePerGas: bigint): Fees {
  return { maxFeePerGas, maxPriorityFeePerGas };
}

describe("fees of anchoring transactions", () => {
  test("no more than half of the limit goes to block builders", () => {
    expect(firstFees(fees(900_000n, 2_000n), LIMIT)).toEqual(fees(900_000n, 2_000n));
    expect(firstFees(fees(900_000n, 800_000n), LIMIT)).toEqual(fees(900_000n, 500_000n));
  });

  test("a replacement offers a quarter more, or what is suggested now when that is more", () => {
    expect(raisedFees(fees(10_000n, 1_000n), fees(5_000n, 500n), LIMIT)).toEqual(fees(12_501n, 1_126n));
    expect(raisedFees(fees(10_000n, 1_000n), fees(70_000n, 3_000n), LIMIT)).toEqual(fees(70_000n, 3_000n));
  });

  test("a replacement offers the limit where that is enough more for nodes to take it, and else there is none", () => {
    expect(raisedFees(fees(850_000n, 1_000n), fees(5_000n, 500n), LIMIT)).toEqual(fees(LIMIT, 1_126n));
    expect(raisedFees(fees(900_000n, 1_000n), fees(5_000n, 500n), LIMIT)).toBeNull();
    expect(raisedFees(fees(10_000n, 1_000n), fees(LIMIT + 1n, 500n), LIMIT)).toBeNull();
  });

  test("the tip ends at half of the limit, however often a transaction is replaced", () => {
    let offered: Fees | null = fees(20n, 10n);
    let last = offered;
    for (let times = 0; offered !== null; times++) {
      expect(times).toBeLessThan(200);
      last = offered;
      offered = raisedFees(offered, fees(20n, 10n), LIMIT);
    }
    expect(last.maxPriorityFeePerGas).toBeLessThanOrEqual(LIMIT / 2n);
    expect(last.maxFeePerGas).toBeLessThanOrEqual(LIMIT);
  });
});
