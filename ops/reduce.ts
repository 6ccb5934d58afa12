/** Reductions over axes: sums, products, extrema and what is composed of them. */
import { core } from "./base.ts";
import { DtypeError, normalizeAxes, normalizeAxis, ShapeError } from "./check.ts";
import { apply, applyAll, type Attribute, defineOp, type Operand } from "./define.ts";
import { convert, div, eq, logicalNot, mul, ne, sqrt, square, sub, where } from "./elementwise.ts";
import { type DType, isFloat } from "./ir/dtype.ts";
import * as e from "./ir/expr.ts";
import { type ReduceKernel, type ReduceOp, sizeOf } from "./ir/kernel.ts";
import { isnan } from "./math.ts";
import { rowFrame } from "./rows.ts";
import type { Tensor } from "./tensor.ts";
import { expand, reshape, unsqueeze, ViewMethods } from "./view.ts";

interface ReduceAttributes {
  readonly [name: string]: Attribute;
  readonly axes: readonly number[];
}

function reduceKernel(
  x: Operand,
  axes: readonly number[],
  ops: readonly ReduceOp[],
  dtype: DType,
): ReduceKernel {
  const { shape, reduce, coordinates } = rowFrame(x, axes);
  const body = e.cast(x.at(coordinates), dtype);
  const reductions = ops.map((op) => ({
    op,
    body,
    dtype: op.startsWith("arg") ? "int32" as const : dtype,
  }));
  const outputs = reductions.map((r, i) => ({
    dtype: r.dtype,
    value: e.acc(i, r.dtype),
    index: undefined,
  }));
  return { kind: "reduce", shape, reduce, inputs: [{ dtype: x.dtype }], reductions, outputs };
}

/** Inserts the reduced axes again as size 1 and repeats to the input's shape. */
function spread(y: Tensor, axes: readonly number[], shape: readonly number[]): Tensor {
  return expand(reshape(y, shape.map((s, d) => axes.includes(d) ? 1 : s)), shape);
}

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

function keep(
  y: Tensor,
  axes: readonly number[],
  shape: readonly number[],
  keepdim: boolean | undefined,
): Tensor {
  return keepdim ? reshape(y, shape.map((s, d) => axes.includes(d) ? 1 : s)) : y;
}

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
  if (axes.length === 0) return convert(x, dtype);
  return keep(apply(SUM, [x], { axes, dtype }), axes, x.shape, options.keepdim);
}

/** Sums over the axes along which `shape` was broadcast, so that the result has that shape. */
export function sumToShape(x: Tensor, shape: readonly number[]): Tensor {
  const skip = x.ndim - shape.length;
  const axes: number[] = [];
  for (let d = 0; d < x.ndim; d++) {
    if (d < skip || (shape[d - skip] === 1 && x.shape[d] !== 1)) axes.push(d);
  }
  return axes.length ? reshape(sum(x, axes), shape) : x;
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
  return sqrt(variance(x, dim, options));
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
    return [mul(spread(c.grad(), axes, c.inputShape(0)), productOfOthers(c.input(0), axes))];
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
  if (axes.length === 0) return convert(x, dtype);
  return keep(apply(PROD, [x], { axes, dtype }), axes, x.shape, options.keepdim);
}

type Extremum = "max" | "min";

const EXTREMUM = defineOp<ReduceAttributes & { readonly op: Extremum }>({
  name: "extremum",
  lower: ([x], { axes, op }) => {
    const kernel = reduceKernel(x!, axes, [op], x!.dtype);
    return { kernel, shapes: [kernel.shape] };
  },
  saves: "both",
  gradient: (c) => {
    const { axes } = c.attributes;
    const shape = c.inputShape(0);
    const best = eq(c.input(0), spread(c.output(), axes, shape));
    const either = best.logicalOr(isnan(c.input(0)));
    const mask = convert(either, c.inputDtype(0));
    const share = div(c.grad(), sum(mask, axes));
    return [mul(mask, spread(share, axes, shape))];
  },
});

function extremum(
  name: string,
  op: Extremum,
  x: Tensor,
  dim: Axes,
  keepdim: boolean | undefined,
): Tensor {
  const axes = normalizeAxes(name, dim, x.ndim);
  if (axes.length === 0) return x;
  if (axes.some((d) => x.shape[d] === 0)) {
    throw new ShapeError(name, "an empty axis has no extremum", { input: x.shape });
  }
  return keep(apply(EXTREMUM, [x], { axes, op }), axes, x.shape, keepdim);
}

/** Largest values over axes, like `torch.amax`; ties share the gradient. */
export function amax(
  x: Tensor,
  dim?: Axes,
  options: { keepdim?: boolean | undefined } = {},
): Tensor {
  return extremum("amax", "max", x, dim, options.keepdim);
}

/** Smallest values over axes, like `torch.amin`; ties share the gradient. */
export function amin(
  x: Tensor,
  dim?: Axes,
  options: { keepdim?: boolean | undefined } = {},
): Tensor {
  return extremum("amin", "min", x, dim, options.keepdim);
}

/** Values with the positions they come from. */
export interface ValuesAndIndices {
  /** The values. */
  readonly values: Tensor;
  /** Positions along the axis, int32. */
  readonly indices: Tensor;
}

const EXTREMUM_AT = defineOp<ReduceAttributes & { readonly op: Extremum }>({
  name: "extremumAt",
  lower: ([x], { axes, op }) => {
    const kernel = reduceKernel(x!, axes, [op, op === "max" ? "argmax" : "argmin"], x!.dtype);
    return { kernel, shapes: [kernel.shape, kernel.shape] };
  },
  saves: "output",
  gradient: (c) => {
    const at = c.attributes.axes[0]!;
    const shape = c.inputShape(0);
    return [placeAt(c.grad(), c.output(1), at, shape)];
  },
});

/** Zeros of `shape` with `values` at `indices` along one axis. */
function placeAt(values: Tensor, indices: Tensor, axis: number, shape: readonly number[]): Tensor {
  const places = positions(indices.storage.backend, shape, axis);
  return where(eq(unsqueeze(indices, axis), places), unsqueeze(values, axis), 0);
}

const POSITIONS = defineOp<{ size: number }>({
  name: "positions",
  lower(_none, { size }) {
    const outputs = [{ dtype: "int32" as const, value: e.axis(0, size), index: undefined }];
    return { kernel: { kind: "map", shape: [size], inputs: [], outputs }, shapes: [[size]] };
  },
});

function positions(
  backend: Tensor["storage"]["backend"],
  shape: readonly number[],
  axis: number,
): Tensor {
  const size = shape[axis]!;
  const flat = apply(POSITIONS, [], { size }, backend);
  return reshape(flat, [size, ...shape.slice(axis + 1).map(() => 1)]);
}

function extremumAt(
  name: string,
  op: Extremum,
  x: Tensor,
  dim: number,
  keepdim: boolean | undefined,
): ValuesAndIndices {
  const at = normalizeAxis(name, dim, x.ndim);
  if (x.ndim === 0) {
    return { values: x, indices: core().fullOn(x.storage.backend, [], 0, "int32") };
  }
  if (x.shape[at] === 0) {
    throw new ShapeError(name, "an empty axis has no extremum", { input: x.shape });
  }
  const [values, indices] = applyAll(EXTREMUM_AT, [x], { axes: [at], op });
  return {
    values: keep(values!, [at], x.shape, keepdim),
    indices: keep(indices!, [at], x.shape, keepdim),
  };
}

/** Largest values along one axis and the first place of each, like `torch.max(input, dim)`. */
export function maxAlong(
  x: Tensor,
  dim: number,
  options: { keepdim?: boolean | undefined } = {},
): ValuesAndIndices {
  return extremumAt("max", "max", x, dim, options.keepdim);
}

/** Smallest values along one axis and the first place of each, like `torch.min(input, dim)`. */
export function minAlong(
  x: Tensor,
  dim: number,
  options: { keepdim?: boolean | undefined } = {},
): ValuesAndIndices {
  return extremumAt("min", "min", x, dim, options.keepdim);
}

const ARG = defineOp<ReduceAttributes & { readonly op: "argmax" | "argmin" }>({
  name: "argExtremum",
  lower: ([x], { axes, op }) => {
    const kernel = reduceKernel(x!, axes, [op], x!.dtype);
    return { kernel, shapes: [kernel.shape] };
  },
});

function arg(
  op: "argmax" | "argmin",
  x: Tensor,
  dim: number | undefined | null,
  keepdim: boolean | undefined,
): Tensor {
  if (sizeOf(x.shape) === 0) {
    throw new ShapeError(op, "an empty tensor has no extremum", { input: x.shape });
  }
  if (dim === undefined || dim === null) {
    const flat = apply(ARG, [reshape(x, [-1])], { axes: [0], op });
    return keepdim ? reshape(flat, x.shape.map(() => 1)) : flat;
  }
  const at = normalizeAxis(op, dim, x.ndim);
  const source = x.ndim === 0 ? reshape(x, [1]) : x;
  if (x.ndim === 0) return reshape(apply(ARG, [source], { axes: [0], op }), []);
  return keep(apply(ARG, [source], { axes: [at], op }), [at], source.shape, keepdim);
}

/** Position of the first largest element along an axis (or in the flat tensor), int32, like `torch.argmax`. */
export function argmax(
  x: Tensor,
  dim?: number | undefined | null,
  options: { keepdim?: boolean | undefined } = {},
): Tensor {
  return arg("argmax", x, dim, options.keepdim);
}

/** Position of the first smallest element along an axis (or in the flat tensor), int32, like `torch.argmin`. */
export function argmin(
  x: Tensor,
  dim?: number | undefined | null,
  options: { keepdim?: boolean | undefined } = {},
): Tensor {
  return arg("argmin", x, dim, options.keepdim);
}

/** Whether any element along the axes is true, like `torch.any`. */
export function any(
  x: Tensor,
  dim?: Axes,
  options: { keepdim?: boolean | undefined } = {},
): Tensor {
  if (sizeOf(x.shape) === 0) return ne(sum(ne(x, 0), dim, options), 0);
  return ne(amax(convert(ne(x, 0), "int32"), dim, options), 0);
}

/** Whether all elements along the axes are true, like `torch.all`. */
export function all(
  x: Tensor,
  dim?: Axes,
  options: { keepdim?: boolean | undefined } = {},
): Tensor {
  return logicalNot(any(eq(x, 0), dim, options));
}

/** Number of elements that are not zero, int32, like `torch.count_nonzero`. */
export function countNonzero(x: Tensor, dim?: Axes): Tensor {
  return sum(ne(x, 0), dim);
}

/** Sum that skips NaN, like `torch.nansum`. */
export function nansum(x: Tensor, dim?: Axes, options: ReduceOptions = {}): Tensor {
  return sum(where(isnan(x), 0, x), dim, options);
}

/** Methods of tensors from this file. */
export abstract class ReduceMethods extends ViewMethods {
  /** See the function `maxAlong`; without an axis, the largest element. */
  max(this: Tensor): Tensor;
  /** Values and positions along one axis. */
  max(this: Tensor, dim: number, options?: { keepdim?: boolean | undefined }): ValuesAndIndices;
  max(
    this: Tensor,
    dim?: number,
    options?: { keepdim?: boolean | undefined },
  ): Tensor | ValuesAndIndices {
    return dim === undefined ? amax(this) : maxAlong(this, dim, options);
  }
  /** See the function `minAlong`; without an axis, the smallest element. */
  min(this: Tensor): Tensor;
  /** Values and positions along one axis. */
  min(this: Tensor, dim: number, options?: { keepdim?: boolean | undefined }): ValuesAndIndices;
  min(
    this: Tensor,
    dim?: number,
    options?: { keepdim?: boolean | undefined },
  ): Tensor | ValuesAndIndices {
    return dim === undefined ? amin(this) : minAlong(this, dim, options);
  }
  /** See the function `sum`. */
  sum(this: Tensor, dim?: Axes, options?: ReduceOptions): Tensor {
    return sum(this, dim, options);
  }
  /** See the function `mean`. */
  mean(this: Tensor, dim?: Axes, options?: ReduceOptions): Tensor {
    return mean(this, dim, options);
  }
  /** See the function `prod`. */
  prod(this: Tensor, dim?: Axes, options?: ReduceOptions): Tensor {
    return prod(this, dim, options);
  }
  /** See the function `nansum`. */
  nansum(this: Tensor, dim?: Axes, options?: ReduceOptions): Tensor {
    return nansum(this, dim, options);
  }
  /** See the function `variance`. */
  variance(this: Tensor, dim?: Axes, options?: VarianceOptions): Tensor {
    return variance(this, dim, options);
  }
  /** See the function `std`. */
  std(this: Tensor, dim?: Axes, options?: VarianceOptions): Tensor {
    return std(this, dim, options);
  }
  /** See the function `amax`. */
  amax(this: Tensor, dim?: Axes, options?: { keepdim?: boolean | undefined }): Tensor {
    return amax(this, dim, options);
  }
  /** See the function `amin`. */
  amin(this: Tensor, dim?: Axes, options?: { keepdim?: boolean | undefined }): Tensor {
    return amin(this, dim, options);
  }
  /** See the function `any`. */
  any(this: Tensor, dim?: Axes, options?: { keepdim?: boolean | undefined }): Tensor {
    return any(this, dim, options);
  }
  /** See the function `all`. */
  all(this: Tensor, dim?: Axes, options?: { keepdim?: boolean | undefined }): Tensor {
    return all(this, dim, options);
  }
  /** See the function `argmax`. */
  argmax(
    this: Tensor,
    dim?: number | undefined | null,
    options?: { keepdim?: boolean | undefined },
  ): Tensor {
    return argmax(this, dim, options);
  }
  /** See the function `argmin`. */
  argmin(
    this: Tensor,
    dim?: number | undefined | null,
    options?: { keepdim?: boolean | undefined },
  ): Tensor {
    return argmin(this, dim, options);
  }
  /** See the function `countNonzero`. */
  countNonzero(this: Tensor, dim?: Axes): Tensor {
    return countNonzero(this, dim);
  }
}
