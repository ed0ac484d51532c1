/** What a transaction offers, in wei for a unit of gas. */
export interface Fees {
  readonly maxFeePerGas: bigint;
  readonly maxPriorityFeePerGas: bigint;
}

/** Thousandths of a replaced transaction's fees: nodes ask for a tenth more, and some for an eighth. */
const LEAST_RAISE = 1_125n;
/** It is to be mined soon, and not to be replaced in each round. */
const USUAL_RAISE = 1_250n;

/** What a first transaction offers: what the node suggests, of which no more than half of the limit goes to block builders. */
export function firstFees(suggested: Fees, limit: bigint): Fees {
  const { maxFeePerGas, maxPriorityFeePerGas } = suggested;
  return { maxFeePerGas, maxPriorityFeePerGas: min(maxPriorityFeePerGas, tipLimit(limit)) };
}

/**
 * What replaces a transaction: enough more for nodes to take it, and what is suggested now. A quarter more where the limit
 * allows it. The tip grows by no more than it must, since only the rest of the fee is given back.
 *
 * @returns null when that is above the limit
 */
export function raisedFees(offered: Fees, suggested: Fees, limit: bigint): Fees | null {
  const wanted = max(suggested.maxFeePerGas, raised(offered.maxFeePerGas, USUAL_RAISE));
  const maxFeePerGas = min(wanted, limit);
  const leastTip = raised(offered.maxPriorityFeePerGas, LEAST_RAISE);
  const maxPriorityFeePerGas = min(max(suggested.maxPriorityFeePerGas, leastTip), min(tipLimit(limit), maxFeePerGas));
  const isEnough =
    maxFeePerGas >= suggested.maxFeePerGas &&
    maxFeePerGas >= raised(offered.maxFeePerGas, LEAST_RAISE) &&
    maxPriorityFeePerGas >= leastTip;
  return isEnough ? { maxFeePerGas, maxPriorityFeePerGas } : null;
}

function tipLimit(limit: bigint): bigint {
  return limit / 2n;
}

function raised(fee: bigint, thousandths: bigint): bigint {
  // Rounded up, so that it is more even where the fee is a few wei.
  return (fee * thousandths) / 1_000n + 1n;
}

function min(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
