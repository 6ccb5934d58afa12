/** Quantiles and other order statistics, moments, and what describes a sample. */
import { add, div, mul, sub } from "./arithmetic.ts";
import { differentiable } from "./autograd.ts";
import { DtypeError, normalizeAxis, rangeError, ShapeError } from "./check.ts";
import { clamp, maximum, where } from "./choice.ts";
import { eq, ge, le, logicalAnd, logicalNot, ne } from "./comparison.ts";
import { convert } from "./convert.ts";
import { core } from "./base.ts";
import { arange } from "./create.ts";
import { amax, amin, argmax, type ValuesAndIndices } from "./extremum.ts";
import { gather, scatterAdd } from "./index.ts";
import { type DType, isFloat } from "./ir/dtype.ts";
import { owned } from "./own.ts";
import { type Axes, mean, nansum, std, sum, type VarianceOptions } from "./reduce.ts";
import { ceil, floor, isnan, round } from "./rounding.ts";
import { sharedBy } from "./shared_gradient.ts";
import { cummax, median, sort } from "./sort.ts";
import { narrow, slice } from "./slice.ts";
import type { Tensor } from "./tensor.ts";
import { movedim, reshape } from "./view.ts";
import { cat } from "./join.ts";

/** Options of `quantile` and `nanquantile`. */
export interface QuantileOptions {
  /** Axis; all elements when missing. */
  dim?: number | undefined | null;
  /** Keep the reduced axis with size 1. @default false */
  keepdim?: boolean | undefined;
  /** What lies between two elements. @default "linear" */
  interpolation?: "linear" | "lower" | "higher" | "midpoint" | "nearest" | undefined;
}

function checkQuantile(op: string, x: Tensor, q: number | Tensor): void {
  if (!isFloat(x.dtype)) {
    throw new DtypeError(op, `dtype ${x.dtype} has no ${op}`, {}, "convert first");
  }
  if (x.numel === 0) {
    throw new ShapeError(op, "an empty tensor has no quantile", { input: x.shape });
  }
  if (typeof q === "number") {
    if (!(q >= 0 && q <= 1)) throw rangeError(op, `q ${q} is not between 0 and 1`);
  } else if (q.ndim > 1) {
    throw new ShapeError(op, "q has at most 1 dimension", { q: q.shape });
  }
}

function quantiles(
  op: string,
  x: Tensor,
  q: number | Tensor,
  options: QuantileOptions,
  ignoresNan: boolean,
): Tensor {
  checkQuantile(op, x, q);
  const { dim, keepdim, interpolation = "linear" } = options;
  const flat = dim === undefined || dim === null;
  const axis = normalizeAxis(op, dim ?? 0, x.ndim);
  const rows = flat || x.ndim === 0 ? reshape(x, [x.numel]) : movedim(x, axis, -1);
  const { values } = sort(rows, -1); // NaN are last
  const size = rows.shape.at(-1)!;
  const points = typeof q === "number" ? q : convert(reshape(q, [q.numel]), x.dtype);
  const count = convert(sum(eq(values, values), -1, { keepdim: true }), x.dtype);
  const rank = mul(sub(maximum(count, 1), 1), points); // [..., Q]
  const at = ignoresNan ? rank : where(eq(count, size), rank, size - 1);
  const found = between(values, at, interpolation);
  const outer = typeof q === "number" || q.ndim === 0 ? [] : [q.numel];
  const kept = x.shape.map((s, d) => flat || d === axis ? 1 : s);
  const shape = keepdim ? kept : flat ? [] : x.shape.filter((_, d) => d !== axis);
  return reshape(movedim(found, -1, 0), [...outer, ...shape]);
}

/** Elements of ordered rows at positions that need not be whole. */
function between(values: Tensor, at: Tensor, mode: QuantileOptions["interpolation"]): Tensor {
  const pick = (place: Tensor) => gather(values, -1, convert(place.detach(), "int32"));
  if (mode === "lower") return pick(floor(at));
  if (mode === "higher") return pick(ceil(at));
  if (mode === "nearest") return pick(round(at));
  const below = floor(at).detach();
  const low = pick(below), high = pick(ceil(at));
  const weight = mode === "midpoint" ? 0.5 : sub(at, below);
  return add(low, mul(sub(high, low), weight));
}

/**
 * Values below which a part `q` of the elements lies, like `torch.quantile`; NaN where there is one.
 *
 * Shapes: without `dim` over all elements; a vector `q` `[Q]` gives a first axis of size Q.
 *
 * @param x Floating, not empty.
 * @param q Between 0 and 1: a number, or a tensor of up to 1 dimension (whose values are not checked).
 * @param options Axis, keepdim, interpolation.
 * @throws {DtypeError} For integers.
 * @throws {RangeError} If a number `q` is not between 0 and 1.
 * @throws {ShapeError} If `x` is empty.
 *
 * @example
 * ```ts
 * import { quantile, tensor } from "@tensaurus/core";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await quantile(tensor([4, 1, 2, 3]), 0.5).item(), 2.5);
 * ```
 */
export function quantile(x: Tensor, q: number | Tensor, options: QuantileOptions = {}): Tensor {
  return quantiles("quantile", x, q, options, false);
}

/** `quantile` of the elements that are not NaN, like `torch.nanquantile`; NaN where there is none. */
export function nanquantile(x: Tensor, q: number | Tensor, options: QuantileOptions = {}): Tensor {
  return quantiles("nanquantile", x, q, options, true);
}

/** Mean of the elements that are not NaN, like `torch.nanmean`; floating only. */
export function nanmean(
  x: Tensor,
  dim?: Axes,
  options: { keepdim?: boolean | undefined; dtype?: DType | undefined } = {},
): Tensor {
  const dtype = options.dtype ?? x.dtype;
  if (!isFloat(dtype)) throw new DtypeError("nanmean", `dtype ${dtype} has no nanmean`);
  const count = sum(logicalNot(isnan(x)), dim, { keepdim: options.keepdim });
  return div(nansum(x, dim, { ...options, dtype }), convert(count, dtype));
}

/** The element at position `at` `[…, 1, …]` of each ordered row. */
function pickAt(
  { values, indices }: ValuesAndIndices,
  axis: number,
  at: Tensor,
  keepdim: boolean | undefined,
): ValuesAndIndices {
  const pick = (t: Tensor) => {
    const one = gather(t, axis, at);
    return keepdim ? one : reshape(one, one.shape.filter((_, d) => d !== axis));
  };
  return { values: pick(values), indices: pick(indices) };
}

/** What sorting gives for a number: itself, at 0. */
function single(x: Tensor): ValuesAndIndices {
  return { values: owned(x, x), indices: core().fullOn(x.storage.backend, [], 0, "int32") };
}

/** Median of all elements that are not NaN, like `torch.nanmedian`. */
export function nanmedian(x: Tensor): Tensor;
/** The same along an axis, with its position. @throws {ShapeError} If the axis is empty. */
export function nanmedian(
  x: Tensor,
  dim: number,
  options?: { keepdim?: boolean | undefined },
): ValuesAndIndices;
export function nanmedian(
  x: Tensor,
  dim?: number,
  options: { keepdim?: boolean | undefined } = {},
): Tensor | ValuesAndIndices {
  if (dim === undefined) {
    if (x.numel === 0) return median(x);
    const middle = () => nanmedian(reshape(x, [x.numel]), 0).values;
    return differentiable("nanmedian", null, [x], middle, (c) => [sharedBy(c)], "both");
  }
  const axis = normalizeAxis("nanmedian", dim, x.ndim);
  if (x.ndim === 0) return single(x);
  if (x.shape[axis] === 0) {
    throw new ShapeError("nanmedian", "an empty axis has no median", { input: x.shape });
  }
  const sorted = sort(x, axis);
  const numbers = sum(eq(sorted.values, sorted.values), axis, { keepdim: true });
  const middle = convert(floor(mul(sub(convert(maximum(numbers, 1), "float32"), 1), 0.5)), "int32");
  return pickAt(sorted, axis, middle, options.keepdim);
}

/**
 * The `k`-th smallest element along an axis with its position, like `torch.kthvalue`; NaN are last.
 *
 * @throws {RangeError} If `k` is not from 1 to the size of the axis.
 */
export function kthvalue(
  x: Tensor,
  k: number,
  dim = -1,
  options: { keepdim?: boolean | undefined } = {},
): ValuesAndIndices {
  const axis = normalizeAxis("kthvalue", dim, x.ndim);
  const size = x.shape[axis] ?? 1;
  if (!Number.isInteger(k) || k < 1 || k > size) {
    throw rangeError("kthvalue", `k ${k} is out of range for size ${size}`, { input: x.shape });
  }
  if (x.ndim === 0) return single(x);
  const { values, indices } = sort(x, axis);
  const pick = (t: Tensor) => {
    const one = narrow(t, axis, k - 1, 1);
    return owned(options.keepdim ? one : reshape(one, x.shape.filter((_, d) => d !== axis)), x);
  };
  return { values: pick(values), indices: pick(indices) };
}

/**
 * The most frequent element along an axis (of equally frequent ones the smallest) with its last
 * position, like `torch.mode`.
 *
 * @throws {ShapeError} If the axis is empty.
 */
export function mode(
  x: Tensor,
  dim = -1,
  options: { keepdim?: boolean | undefined } = {},
): ValuesAndIndices {
  const axis = normalizeAxis("mode", dim, x.ndim);
  if (x.ndim === 0) return single(x);
  const size = x.shape[axis]!;
  if (size === 0) throw new ShapeError("mode", "an empty axis has no mode", { input: x.shape });
  const sorted = sort(x, axis);
  const places = reshape(
    arange(0, size, 1, { dtype: "int32", device: x.device }),
    x.shape.map((_, d) => d === axis ? size : 1),
  );
  const each = sorted.values.detach();
  const starts = ne(slice(each, axis, 1), slice(each, axis, 0, size - 1));
  const first = core().fullOn(x.storage.backend, narrow(each, axis, 0, 1).shape, 0, "bool");
  const start = cummax(where(cat([first, starts], axis), places, 0), axis).values;
  // How long the run of equal elements is so far: longest at the end of the longest run.
  return pickAt(
    sorted,
    axis,
    argmax(sub(places, start), axis, { keepdim: true }),
    options.keepdim,
  );
}

/** Smallest and largest values together, like `torch.aminmax`. @throws {ShapeError} If the axis is empty. */
export function aminmax(
  x: Tensor,
  options: { dim?: number | undefined | null; keepdim?: boolean | undefined } = {},
): { min: Tensor; max: Tensor } {
  const { dim, keepdim } = options;
  return { min: amin(x, dim, { keepdim }), max: amax(x, dim, { keepdim }) };
}

/** Standard deviation and mean together, like `torch.std_mean`. */
export function stdMean(x: Tensor, dim?: Axes, options: VarianceOptions = {}): [Tensor, Tensor] {
  return [std(x, dim, options), mean(x, dim, { keepdim: options.keepdim })];
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
