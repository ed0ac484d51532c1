/** Whether a number is a whole multiple of a positive one, in the decimal digits in which both are written. */
export function isMultipleOf(value: number, divisor: number): boolean {
  if (Number.isSafeInteger(value) && Number.isSafeInteger(divisor)) return value % divisor === 0;
  const [digits, exponent] = decimal(value);
  const [divisorDigits, divisorExponent] = decimal(divisor);
  const shared = Math.min(exponent, divisorExponent);
  return scaled(digits, exponent - shared) % scaled(divisorDigits, divisorExponent - shared) === 0n;
}

/** A number as digits times a power of ten. The shortest text of a double has 17 digits at most. */
function decimal(value: number): [digits: bigint, exponent: number] {
  const [mantissa = "0", exponent = "0"] = value.toExponential().split("e");
  const [whole = "0", fraction = ""] = mantissa.split(".");
  return [BigInt(whole + fraction), Number(exponent) - fraction.length];
}

function scaled(digits: bigint, powerOfTen: number): bigint {
  return digits * 10n ** BigInt(powerOfTen);
}
