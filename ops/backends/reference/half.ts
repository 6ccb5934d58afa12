/** IEEE half precision by arithmetic: the oracle's own, independent of the platform's. */

/** Exponent of the smallest normal half. */
const LOWEST_EXPONENT = -14;
/** Halfway between the largest half and the power of two above it: from here on infinity. */
const OVERFLOW = 65520;

/** Bits of the half nearest to `x` (ties to even). */
export function toHalfBits(x: number): number {
  if (x !== x) return 0x7e00;
  const sign = x < 0 || Object.is(x, -0) ? 0x8000 : 0;
  const a = Math.abs(x);
  if (a >= OVERFLOW) return sign | 0x7c00;
  if (a < 2 ** LOWEST_EXPONENT) return sign | roundEven(a * 2 ** 24);
  const guess = Math.floor(Math.log2(a));
  const exponent = 2 ** guess > a ? guess - 1 : 2 ** (guess + 1) <= a ? guess + 1 : guess;
  const steps = roundEven(a / 2 ** (exponent - 10));
  // A mantissa that rounds up to 2048 carries into the exponent by itself.
  return sign | (((exponent + 15) << 10) + (steps - 1024));
}

/** Value of a half's bits. */
export function fromHalfBits(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31, mantissa = bits & 1023;
  if (exponent === 31) return mantissa ? NaN : sign * Infinity;
  return sign * (exponent === 0 ? mantissa * 2 ** -24 : (1024 + mantissa) * 2 ** (exponent - 25));
}

function roundEven(x: number): number {
  const low = Math.floor(x), rest = x - low;
  return rest > 0.5 || (rest === 0.5 && low % 2 === 1) ? low + 1 : low;
}
