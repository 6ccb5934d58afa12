/** Quantiles and other order statistics, moments, and what describes a sample. */
import { add, div, mul, sub } from "./arithmetic.ts";
import { differentiable } from "./autograd.ts";
import { DtypeError, normalizeAxis, rangeError, ShapeError } from "./check.ts";
import { clamp, maximum, where } from "./choice.ts";
import { eq, logicalNot, ne } from "./comparison.ts";
import { convert } from "./convert.ts";
import { core } from "./base.ts";
import { arange } from "./create.ts";
import { amax, amin, argmax, type ValuesAndIndices } from "./extremum.ts";
import { gather } from "./index.ts";
import { type DType, isFloat } from "./ir/dtype.ts";
import { owned } from "./own.ts";
import { type Axes, mean, nansum, std, sum, type VarianceOptions } from "./reduce.ts";
import { ceil, floor, isnan, round } from "./rounding.ts";
import { sharedBy } from "./shared_gradient.ts";
import { cummax, median, sort } from "./sort.ts";
import { narrow, slice } from "./slice.ts";
import type { Tensor } from "./tensor.ts";
import { movedim, reshape, transpose, unsqueeze } from "./view.ts";
import { matmul } from "./contract.ts";
import { diagonal } from "./arrange.ts";
import { sqrt } from "./power.ts";
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

/** Options of `cov`. */
export interface CovarianceOptions {
  /** Subtracted from the count in the divisor. @default 1 */
  correction?: number | undefined;
  /** How often each observation counts, `[N]`, whole. */
  fweights?: Tensor | undefined | null;
  /** How important each observation is, `[N]`. */
  aweights?: Tensor | undefined | null;
}

function variables(op: string, x: Tensor): Tensor {
  if (x.ndim > 2) throw new ShapeError(op, "expects at most 2 dimensions", { input: x.shape });
  const rows = x.ndim < 2 ? reshape(x, [1, x.numel]) : x;
  return isFloat(rows.dtype) ? rows : convert(rows, "float32");
}

/**
 * Covariance matrix of variables (rows) over observations (columns), like `torch.cov`.
 *
 * Shapes: `[V, N]` gives `[V, V]`; `[N]` is one variable and gives a number.
 *
 * @param x Variables; integers become float32.
 * @param options Correction, weights of the observations.
 * @throws {ShapeError} If there are more than 2 dimensions, or weights do not fit.
 */
export function cov(x: Tensor, options: CovarianceOptions = {}): Tensor {
  const { correction = 1, fweights, aweights } = options;
  const rows = variables("cov", x);
  const count = rows.shape[1]!;
  for (const [name, w] of Object.entries({ fweights, aweights })) {
    if (w && (w.ndim > 1 || w.numel !== count)) {
      throw new ShapeError("cov", `${name} needs one weight for each of ${count} observations`, {
        input: x.shape,
        [name]: w.shape,
      });
    }
  }
  const [f, a] = [fweights, aweights].map((w) => w && convert(reshape(w, [count]), rows.dtype));
  const w = f && a ? mul(f, a) : f ?? a;
  if (!w) {
    const centred = sub(rows, mean(rows, 1, { keepdim: true }));
    const products = matmul(centred, transpose(centred, 0, 1));
    return ofVariables(div(products, Math.max(0, count - correction)));
  }
  const total = sum(w);
  const centred = sub(rows, unsqueeze(div(sum(mul(rows, w), 1), total), 1));
  const used = a && correction !== 0 ? div(mul(sum(mul(w, a)), correction), total) : correction;
  const products = matmul(mul(centred, w), transpose(centred, 0, 1));
  return ofVariables(div(products, clamp(sub(total, used), 0)));
}

/** A matrix of one variable is a number. */
function ofVariables(x: Tensor): Tensor {
  return x.numel === 1 ? reshape(x, []) : x;
}

/**
 * Correlation coefficients of variables (rows) over observations (columns), like `torch.corrcoef`.
 *
 * Shapes: `[V, N]` gives `[V, V]`; `[N]` gives a number.
 *
 * @throws {ShapeError} If there are more than 2 dimensions.
 */
export function corrcoef(x: Tensor): Tensor {
  const c = cov(variables("corrcoef", x));
  if (c.ndim === 0) return div(c, c);
  const deviation = sqrt(diagonal(c));
  return clamp(div(div(c, unsqueeze(deviation, 1)), deviation), -1, 1);
}
