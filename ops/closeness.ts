/** Comparison with tolerance, membership in sets and in intervals, histograms. */
import { abs, add, div, mul, sub } from "./arithmetic.ts";
import { core } from "./base.ts";
import { DtypeError, rangeError, ShapeError } from "./check.ts";
import { clamp, where } from "./choice.ts";
import { eq, ge, le, logicalAnd, logicalNot, logicalOr } from "./comparison.ts";
import { convert } from "./convert.ts";
import { asTensors, type TensorOrNumber } from "./define.ts";
import { all, amax, amin, any } from "./extremum.ts";
import { floor, isfinite, isnan } from "./rounding.ts";
import { scatterAdd } from "./index.ts";
import { isFloat } from "./ir/dtype.ts";
import { owned } from "./own.ts";
import { slice } from "./slice.ts";
import { searchsorted } from "./sort.ts";
import type { Tensor } from "./tensor.ts";
import { reshape, unsqueeze } from "./view.ts";

/** Options of `isclose` and `allclose`. */
export interface ClosenessOptions {
  /** Tolerance as a part of `|other|`. @default 1e-5 */
  rtol?: number | undefined;
  /** Tolerance beside it. @default 1e-8 */
  atol?: number | undefined;
  /** Whether NaN is close to NaN. @default false */
  equalNan?: boolean | undefined;
}

/**
 * Where `|input − other| ≤ atol + rtol · |other|`, as bool, like `torch.isclose`; equal infinities are
 * close. Shapes broadcast, dtypes promote.
 *
 * @throws {RangeError} If a tolerance is negative.
 *
 * @example
 * ```ts
 * import { isclose, tensor } from "@tensaurus/core";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals([...await isclose(tensor([1, 2]), tensor([1.000001, 3])).data()], [1, 0]);
 * ```
 */
export function isclose(input: Tensor, other: Tensor, options: ClosenessOptions = {}): Tensor {
  const { rtol = 1e-5, atol = 1e-8, equalNan = false } = options;
  for (const [name, value] of Object.entries({ rtol, atol })) {
    if (!(value >= 0)) throw rangeError("isclose", `${name} ${value} is negative`);
  }
  const [a, b] = [input, other].map((x) => {
    const y = x.detach();
    return y.dtype === "bool" ? convert(y, "int32") : y;
  }) as [Tensor, Tensor];
  const same = equalNan ? logicalOr(eq(a, b), logicalAnd(isnan(a), isnan(b))) : eq(a, b);
  if (rtol === 0 && atol === 0) return same;
  const distance = abs(sub(a, b));
  const near = le(distance, add(abs(mul(b, rtol)), atol));
  return logicalOr(same, logicalAnd(isfinite(distance), near));
}

/**
 * Whether all elements are close, like `torch.allclose`. The answer is read from the device, so it is
 * a promise, and a compiled function cannot contain it.
 *
 * @throws {RangeError} If a tolerance is negative.
 */
export async function allclose(
  input: Tensor,
  other: Tensor,
  options: ClosenessOptions = {},
): Promise<boolean> {
  return await all(isclose(input, other, options)).item() !== 0;
}

/**
 * Which elements are among others, as bool of the shape of `elements`, like `torch.isin`. Compares
 * each with each.
 *
 * @param elements Any shape, or a number.
 * @param testElements Any shape, or a number.
 * @param options Whether to tell which are not.
 * @throws {DeviceError} If neither is a tensor.
 */
export function isin(
  elements: TensorOrNumber,
  testElements: TensorOrNumber,
  options: { invert?: boolean | undefined } = {},
): Tensor {
  const [x, set] = asTensors("isin", [elements, testElements]) as [Tensor, Tensor];
  const found = any(eq(unsqueeze(x.detach(), -1), reshape(set.detach(), [set.numel])), -1);
  return options.invert ? logicalNot(found) : found;
}

/**
 * Number of the interval between `boundaries` in which each value lies, int32, like
 * `torch.bucketize`. NaN lies behind the last.
 *
 * @param values Any shape, or a number.
 * @param boundaries `[B]`, ascending.
 * @param options Whether intervals contain their left (`true`) or right (`false`) end.
 * @throws {ShapeError} If `boundaries` is no vector.
 */
export function bucketize(
  values: TensorOrNumber,
  boundaries: Tensor,
  options: { right?: boolean | undefined } = {},
): Tensor {
  if (boundaries.ndim !== 1) {
    throw new ShapeError("bucketize", "boundaries needs 1 dimension", {
      boundaries: boundaries.shape,
    });
  }
  return searchsorted(boundaries, values, { right: options.right });
}

/** Options of `histc`. */
export interface HistogramOptions {
  /** Number of bins. @default 100 */
  bins?: number | undefined;
  /** Lower end. @default 0 */
  min?: number | undefined;
  /** Upper end; where it equals the lower one, both are those of the data. @default 0 */
  max?: number | undefined;
}

/**
 * How many elements lie in each of equal intervals, in the dtype of `x`, like `torch.histc`. Elements
 * outside, and NaN, are not counted; the last interval contains its upper end.
 *
 * @returns `[bins]`.
 * @throws {DtypeError} For integers.
 * @throws {RangeError} If there is no bin, or `max` is below `min`.
 */
export function histc(x: Tensor, options: HistogramOptions = {}): Tensor {
  const { bins = 100, min: low = 0, max: high = 0 } = options;
  if (!isFloat(x.dtype)) throw new DtypeError("histc", `dtype ${x.dtype} has no histc`);
  if (!Number.isInteger(bins) || bins < 1) {
    throw rangeError("histc", `bins ${bins} is not positive`);
  }
  if (!(low <= high)) throw rangeError("histc", `max ${high} is below min ${low}`);
  const { backend } = x.storage;
  const flat = reshape(x.detach(), [x.numel]);
  const ofData = low === high && flat.numel > 0;
  const ends = (a: Tensor | number, value: number) =>
    typeof a === "number" ? core().fullOn(backend, [], value, x.dtype) : a;
  const from = ends(ofData ? amin(flat) : low, low), to = ends(ofData ? amax(flat) : high, high);
  const single = eq(from, to);
  const start = where(single, sub(from, 1), from), end = where(single, add(to, 1), to);
  const place = floor(mul(div(sub(flat, start), sub(end, start)), bins));
  const inside = logicalAnd(ge(flat, start), le(flat, end));
  const index = convert(where(inside, clamp(place, 0, bins - 1), bins), "int32");
  const counts = scatterAdd(
    core().fullOn(backend, [bins + 1], 0, x.dtype),
    0,
    index,
    core().fullOn(backend, flat.shape, 1, x.dtype),
  );
  return owned(slice(counts, 0, 0, bins), x);
}
