/**
 * Numbers as people read them: losses, rates, times.
 *
 * @module
 */

/**
 * A learning rate, such as `9.8e-4`.
 *
 * @param value The number.
 * @returns Two significant digits and an exponent.
 */
export function scientific(value: number): string {
  return value === 0 ? "0.0e+0" : value.toExponential(1);
}

/**
 * A count with a unit prefix, such as `1.33 M`.
 *
 * @param value The number.
 * @returns Three significant digits, then a space and `k`, `M`, `G` or `T` from 10,000 upwards.
 *
 * @example Images and tokens per second
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(withPrefix(1_330_000), "1.33 M");
 * assertEquals(withPrefix(2310.4), "2310");
 * assertEquals(withPrefix(8.125), "8.13");
 * ```
 */
export function withPrefix(value: number): string {
  if (!Number.isFinite(value)) return "–";
  let scaled = value;
  const prefixes = ["", " k", " M", " G", " T"];
  let prefix = 0;
  while (scaled >= (prefix === 0 ? 10_000 : 999.5) && prefix < prefixes.length - 1) {
    scaled /= 1000;
    prefix++;
  }
  const digits = scaled >= 99.95 ? 0 : scaled >= 9.995 ? 1 : 2;
  return scaled.toFixed(digits) + prefixes[prefix];
}

/**
 * A time for one step, such as `12.3 ms`.
 *
 * @param milliseconds The time.
 * @returns Three significant digits in µs, ms or s.
 */
export function shortTime(milliseconds: number): string {
  if (!Number.isFinite(milliseconds)) return "–";
  if (milliseconds < 0.9995) return `${threeDigits(milliseconds * 1000)} µs`;
  if (milliseconds < 9_995) return `${threeDigits(milliseconds)} ms`;
  return `${threeDigits(milliseconds / 1000)} s`;
}

/**
 * A time to wait, such as `1:05` or `2:03:09`.
 *
 * @param seconds The time.
 * @returns Minutes and seconds, with hours from 60 minutes upwards.
 */
export function clock(seconds: number): string {
  if (!Number.isFinite(seconds)) return "–:––";
  const whole = Math.round(seconds);
  const two = (value: number): string => String(value).padStart(2, "0");
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes}:${two(whole % 60)}`;
  return `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(whole % 60)}`;
}

function threeDigits(value: number): string {
  return value.toFixed(value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2);
}
