/** Reductions over axes: sums, products and what is composed of them. */
import { differentiable } from "./autograd.ts";
import { div, mul, sub } from "./arithmetic.ts";
import { DtypeError, normalizeAxes } from "./check.ts";
import { where } from "./choice.ts";
import { eq, ne } from "./comparison.ts";
import { convert } from "./convert.ts";
import { apply, defineOp } from "./define.ts";
import { type DType, isFloat } from "./ir/dtype.ts";
import { sizeOf } from "./ir/kernel.ts";
import { owned } from "./own.ts";
import { sqrt, square } from "./power.ts";
import { keep, type ReduceAttributes, reduceKernel, spread } from "./reduce_kernels.ts";
import { isnan } from "./rounding.ts";
import type { Tensor } from "./tensor.ts";

const SUM = defineOp<ReduceAttributes & { readonly dtype: DType }>({
  name: "sum",
  lower: ([x], { axes, dtype }) => {
    const kernel = reduceKernel(x!, axes, ["sum"], dtype);
    return { kernel, shapes: [kernel.shape] };
  },
  saves: "none",
  gradient: (c) => [
    convert(spread(c.grad(), c.attributes.axes, c.inputShape(0)), c.inputDtype(0)),
  ],
});

/** Options of reductions. */
export interface ReduceOptions {
  /** Keep reduced axes with size 1. @default false */
  keepdim?: boolean | undefined;
  /** Convert to this dtype first. */
  dtype?: DType | undefined;
}

/** Axes of a reduction: one, several, or all when missing. */
export type Axes = number | readonly number[] | undefined | null;

/**
 * Sum over axes, like `torch.sum`. Integers and bools add up in int32.
 *
 * @param x Any tensor.
 * @param dim Axes; all when missing.
 * @param options Keep the axes, dtype of the sum.
 * @returns The sum, without the reduced axes unless `keepdim`.
 *
 * @example
 * ```ts
 * import { tensor } from "@tensaurus/core";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals([...await tensor([[1, 2], [3, 4]]).sum(0).data()], [4, 6]);
 * ```
 */
export function sum(x: Tensor, dim?: Axes, options: ReduceOptions = {}): Tensor {
  const axes = normalizeAxes("sum", dim, x.ndim);
  const dtype = options.dtype ?? (x.dtype === "bool" ? "int32" : x.dtype);
  if (axes.length === 0) return owned(convert(x, dtype), x);
  return keep(apply(SUM, [x], { axes, dtype }), axes, x.shape, options.keepdim);
}

function floating(op: string, x: Tensor, dtype: DType | undefined): Tensor {
  const target = dtype ?? x.dtype;
  if (!isFloat(target)) {
    throw new DtypeError(op, `dtype ${target} has no ${op}`, {}, "pass { dtype } or convert first");
  }
  return convert(x, target);
}

/** Arithmetic mean over axes, like `torch.mean`; floating only. */
export function mean(x: Tensor, dim?: Axes, options: ReduceOptions = {}): Tensor {
  const source = floating("mean", x, options.dtype);
  const axes = normalizeAxes("mean", dim, x.ndim);
  const count = sizeOf(axes.map((d) => x.shape[d]!));
  return mul(sum(source, axes.length ? axes : dim, { keepdim: options.keepdim }), 1 / count);
}

/** Options of variances. */
export interface VarianceOptions extends ReduceOptions {
  /** Subtracted from the count in the divisor. @default 1 */
  correction?: number | undefined;
}

/** Variance over axes, like `torch.var`; with Bessel's correction by default. */
export function variance(x: Tensor, dim?: Axes, options: VarianceOptions = {}): Tensor {
  const axes = normalizeAxes("var", dim, x.ndim);
  const { correction = 1, keepdim } = options;
  const count = sizeOf(axes.map((d) => x.shape[d]!));
  const centred = sub(x, mean(x, dim, { keepdim: true }));
  return mul(sum(square(centred), dim, { keepdim }), 1 / Math.max(0, count - correction));
}

/** Standard deviation over axes, like `torch.std`. */
export function std(x: Tensor, dim?: Axes, options: VarianceOptions = {}): Tensor {
  const square = variance(x, dim, options);
  // Where all elements are equal the slope is infinite; 0 as in PyTorch.
  return differentiable("std", null, [square], () => sqrt(square), (c) => {
    const y = c.output();
    return [where(eq(y, 0), 0, div(c.grad(), mul(y, 2)))];
  }, "output");
}

/** Variance and mean together, like `torch.var_mean`. */
export function varMean(x: Tensor, dim?: Axes, options: VarianceOptions = {}): [Tensor, Tensor] {
  return [variance(x, dim, options), mean(x, dim, { keepdim: options.keepdim })];
}

const PROD = defineOp<ReduceAttributes & { readonly dtype: DType }>({
  name: "prod",
  lower: ([x], { axes, dtype }) => {
    const kernel = reduceKernel(x!, axes, ["prod"], dtype);
    return { kernel, shapes: [kernel.shape] };
  },
  gradient: (c) => {
    const { axes } = c.attributes;
    const others = productOfOthers(c.input(0), axes);
    return [convert(mul(spread(c.grad(), axes, c.inputShape(0)), others), c.inputDtype(0))];
  },
});

/** For each element the product of all others of its group; right also where elements are zero. */
function productOfOthers(x: Tensor, axes: readonly number[]): Tensor {
  const zero = eq(x, 0);
  const zeros = spread(sum(zero, axes), axes, x.shape);
  const rest = spread(prod(where(zero, 1, x), axes), axes, x.shape);
  const without = where(zero, rest, div(rest, where(zero, 1, x)));
  const alive = where(zero, eq(zeros, 1), eq(zeros, 0));
  return where(alive, without, 0);
}

/** Product over axes, like `torch.prod`. */
export function prod(x: Tensor, dim?: Axes, options: ReduceOptions = {}): Tensor {
  const axes = normalizeAxes("prod", dim, x.ndim);
  const dtype = options.dtype ?? (x.dtype === "bool" ? "int32" : x.dtype);
  if (axes.length === 0) return owned(convert(x, dtype), x);
  return keep(apply(PROD, [x], { axes, dtype }), axes, x.shape, options.keepdim);
}

/** Number of elements that are not zero, int32, like `torch.count_nonzero`. */
export function countNonzero(x: Tensor, dim?: Axes): Tensor {
  return sum(ne(x, 0), dim);
}

/** Sum that skips NaN, like `torch.nansum`. */
export function nansum(x: Tensor, dim?: Axes, options: ReduceOptions = {}): Tensor {
  return sum(where(isnan(x), 0, x), dim, options);
}
