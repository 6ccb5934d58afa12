/** Lengths of vectors and sizes of matrices. */
import { differentiable } from "./autograd.ts";
import {
  broadcastShapes,
  DtypeError,
  normalizeAxes,
  normalizeAxis,
  rangeError,
  ShapeError,
} from "./check.ts";
import { abs, div, mul, sign, sub } from "./arithmetic.ts";
import { convert } from "./convert.ts";
import { clamp, where } from "./choice.ts";
import { eq, gt, ne } from "./comparison.ts";
import { pow, reciprocal, sqrt, square } from "./power.ts";
import { isFloat } from "./ir/dtype.ts";
import { svdvals } from "./factors.ts";
import { amax, amin } from "./extremum.ts";
import { type Axes, sum } from "./reduce.ts";
import type { Tensor } from "./tensor.ts";
import { expand, movedim, reshape, unsqueeze } from "./view.ts";

/** Options of `vectorNorm`. */
export interface VectorNormOptions {
  /** Which norm: any number, ±Infinity, 0 (count of non-zeros). @default 2 */
  ord?: number | undefined;
  /** Axes; all when missing. */
  dim?: Axes;
  /** Keep reduced axes with size 1. @default false */
  keepdim?: boolean | undefined;
}

interface NormAttributes {
  readonly [name: string]: number | readonly number[];
  readonly ord: number;
  readonly axes: readonly number[];
}

function powerSum(x: Tensor, ord: number, axes: readonly number[]): Tensor {
  const options = { keepdim: true };
  if (ord === 1) return sum(abs(x), axes, options);
  if (ord === 2) return sqrt(sum(square(x), axes, options));
  return pow(sum(pow(abs(x), ord), axes, options), 1 / ord);
}

/** d ‖x‖ / dx, with 0 where the formula divides 0 by 0, as PyTorch has it. */
function powerSlope(x: Tensor, norm: Tensor, ord: number): Tensor {
  if (ord === 1) return sign(x);
  if (ord === 2) return where(eq(norm, 0), 0, div(x, where(eq(norm, 0), 1, norm)));
  if (ord < 1) {
    const part = where(eq(x, 0), 0, mul(sign(x), pow(where(eq(x, 0), 1, abs(x)), ord - 1)));
    return mul(part, pow(norm, 1 - ord));
  }
  const size = where(eq(x, 0), 0, mul(sign(x), pow(where(eq(x, 0), 1, abs(x)), ord - 1)));
  return where(eq(norm, 0), 0, div(size, pow(where(eq(norm, 0), 1, norm), ord - 1)));
}

/**
 * p-norm of the elements along axes, like `torch.linalg.vector_norm`.
 *
 * @param x Floating.
 * @param options Which norm, axes, keepdim.
 * @throws {DtypeError} For integers.
 */
export function vectorNorm(x: Tensor, options: VectorNormOptions = {}): Tensor {
  if (!isFloat(x.dtype)) {
    throw new DtypeError("vectorNorm", `dtype ${x.dtype} has no norm`, {}, "convert first");
  }
  const { ord = 2, dim, keepdim = false } = options;
  const all = dim === undefined || dim === null || (typeof dim === "object" && !dim.length);
  const axes = normalizeAxes("vectorNorm", all ? undefined : dim, x.ndim);
  const finish = (y: Tensor) =>
    keepdim ? y : reshape(y, x.shape.filter((_, d) => !axes.includes(d)));
  const keep = { keepdim: true };
  if (ord === 0) return finish(convert(sum(ne(x, 0), axes, keep), x.dtype));
  if (ord === Infinity) return finish(amax(abs(x), axes, keep));
  if (ord === -Infinity) return finish(amin(abs(x), axes, keep));
  const attributes: NormAttributes = { ord, axes };
  return finish(differentiable("vectorNorm", attributes, [x], () => powerSum(x, ord, axes), (c) => [
    mul(c.grad(), powerSlope(c.input(0), c.output(), ord)),
  ], "both"));
}

/** Distance of vectors along the last axis, like `torch.nn.functional.pairwise_distance`. */
export function pairwiseDistance(
  input: Tensor,
  other: Tensor,
  options: { p?: number | undefined; eps?: number | undefined; keepdim?: boolean | undefined } = {},
): Tensor {
  const { p = 2, eps = 1e-6, keepdim } = options;
  broadcastShapes("pairwiseDistance", [input.shape, other.shape]);
  return vectorNorm(sub(input, other).add(eps), { ord: p, dim: -1, keepdim });
}

/** Cosine of the angle between vectors along an axis, like `torch.nn.functional.cosine_similarity`. */
export function cosineSimilarity(
  input: Tensor,
  other: Tensor,
  options: { dim?: number | undefined; eps?: number | undefined } = {},
): Tensor {
  const { dim = 1, eps = 1e-8 } = options;
  const axis = { dim, keepdim: true };
  const [a, b] = broadcastPair(input, other);
  const x = div(a, atLeast(vectorNorm(a, axis), eps));
  const y = div(b, atLeast(vectorNorm(b, axis), eps));
  return sum(mul(x, y), dim);
}

/** A lower limit that lets the gradient pass, as PyTorch has it here. */
function atLeast(x: Tensor, limit: number): Tensor {
  return x.add(sub(clamp(x, limit), x).detach());
}

function broadcastPair(a: Tensor, b: Tensor): [Tensor, Tensor] {
  const shape = broadcastShapes("cosineSimilarity", [a.shape, b.shape]);
  return [expand(a, shape), expand(b, shape)];
}

/**
 * p-norm of the difference of each pair of rows, like `torch.cdist`.
 *
 * Shapes: `[…, P, M]` and `[…, R, M]` give `[…, P, R]`.
 */
export function cdist(
  input: Tensor,
  other: Tensor,
  options: { p?: number | undefined } = {},
): Tensor {
  const { p = 2 } = options;
  if (input.ndim < 2 || other.ndim < 2 || input.size(-1) !== other.size(-1)) {
    throw new ShapeError("cdist", "rows differ in length", {
      input: input.shape,
      other: other.shape,
    });
  }
  return vectorNorm(sub(unsqueeze(input, -2), unsqueeze(other, -3)), { ord: p, dim: -1 });
}

/** Options of `matrixNorm`. */
export interface MatrixNormOptions {
  /** `"fro"`, `"nuc"`, ±Infinity, ±1 or ±2. @default "fro" */
  ord?: "fro" | "nuc" | number | undefined;
  /** The two axes of a matrix. @default [-2, -1] */
  dim?: readonly number[] | undefined;
  /** Keep reduced axes with size 1. @default false */
  keepdim?: boolean | undefined;
}

/**
 * Norm of matrices, like `torch.linalg.matrix_norm`; `"nuc"` and ±2 need singular values.
 *
 * @throws {RangeError} For other orders.
 */
export function matrixNorm(x: Tensor, options: MatrixNormOptions = {}): Tensor {
  const { ord = "fro", dim = [-2, -1], keepdim = false } = options;
  const axes = normalizeAxes("matrixNorm", dim, x.ndim);
  if (axes.length !== 2) throw rangeError("matrixNorm", `${axes.length} axes are not a matrix`);
  if (ord === "fro") return vectorNorm(x, { dim: axes, keepdim });
  const last = movedim(x, axes, [-2, -1]);
  const y = ofMatrices(last, ord);
  return keepdim ? reshape(y, x.shape.map((s, d) => axes.includes(d) ? 1 : s)) : y;
}

function ofMatrices(x: Tensor, ord: "nuc" | number): Tensor {
  if (ord === "nuc") return sum(svdvals(x), -1);
  if (ord === 2) return amax(svdvals(x), -1);
  if (ord === -2) return amin(svdvals(x), -1);
  if (Math.abs(ord) === 1) return (ord > 0 ? amax : amin)(sum(abs(x), -2), -1);
  if (Math.abs(ord) === Infinity) return (ord > 0 ? amax : amin)(sum(abs(x), -1), -1);
  throw rangeError("matrixNorm", `ord ${ord} is not one of fro, nuc, inf, -inf, 1, -1, 2, -2`);
}

/** Norm of a vector or matrix, like `torch.norm`: `p` is a number, `"fro"` or `"nuc"`. */
export function norm(
  x: Tensor,
  p: number | "fro" | "nuc" = "fro",
  options: { dim?: Axes; keepdim?: boolean | undefined } = {},
): Tensor {
  const { dim, keepdim } = options;
  if (p === "nuc") {
    return matrixNorm(x, {
      ord: p,
      keepdim,
      dim: typeof dim === "object" && dim ? dim : undefined,
    });
  }
  return vectorNorm(x, { ord: p === "fro" ? 2 : p, dim, keepdim });
}

/** p-norm of the difference, like `torch.dist`; shapes broadcast. */
export function dist(
  input: Tensor,
  other: Tensor,
  options: { p?: number | undefined } = {},
): Tensor {
  return vectorNorm(sub(input, other), { ord: options.p });
}

/**
 * The slices of an axis shortened to a p-norm of `maxNorm` where they are longer, like
 * `torch.renorm`.
 *
 * @param x Floating, at least 2 dimensions.
 * @param p Which norm, above 0.
 * @param dim Axis whose slices are measured.
 * @param maxNorm Greatest norm.
 * @throws {ShapeError} If `x` has fewer dimensions.
 * @throws {RangeError} If `p` is not positive or `maxNorm` is negative.
 */
export function renorm(x: Tensor, p: number, dim: number, maxNorm: number): Tensor {
  const axis = normalizeAxis("renorm", dim, x.ndim);
  if (x.ndim < 2) {
    throw new ShapeError("renorm", "expects at least 2 dimensions", { input: x.shape });
  }
  if (!(p > 0)) throw rangeError("renorm", `p ${p} is not positive`);
  if (!(maxNorm >= 0)) throw rangeError("renorm", `maxNorm ${maxNorm} is negative`);
  const others = x.shape.map((_, d) => d).filter((d) => d !== axis);
  const length = vectorNorm(x, { ord: p, dim: others, keepdim: true });
  const long = gt(length, maxNorm);
  return mul(x, where(long, rdiv(where(long, length, 1), maxNorm), 1));
}

function rdiv(x: Tensor, value: number): Tensor {
  return mul(reciprocal(x.add(1e-7)), value);
}
