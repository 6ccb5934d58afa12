/** Largest and smallest elements over axes, and where they are. */
import { convert } from "./convert.ts";
import { div, mul } from "./arithmetic.ts";
import { core } from "./base.ts";
import { normalizeAxes, normalizeAxis, ShapeError } from "./check.ts";
import { where } from "./choice.ts";
import { eq, logicalNot, ne } from "./comparison.ts";
import { apply, applyAll, defineOp } from "./define.ts";
import * as e from "./ir/expr.ts";
import { sizeOf } from "./ir/kernel.ts";
import { owned } from "./own.ts";
import { type Axes, sum } from "./reduce.ts";
import { keep, type ReduceAttributes, reduceKernel, spread } from "./reduce_kernels.ts";
import { isnan } from "./rounding.ts";
import type { Tensor } from "./tensor.ts";
import { reshape, unsqueeze } from "./view.ts";

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
  if (axes.length === 0) return owned(x, x);
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
    return { values: owned(x, x), indices: core().fullOn(x.storage.backend, [], 0, "int32") };
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
  if (dim === undefined || dim === null) {
    if (sizeOf(x.shape) === 0) {
      throw new ShapeError(op, "an empty tensor has no extremum", { input: x.shape });
    }
    const flat = apply(ARG, [reshape(x, [-1])], { axes: [0], op });
    return keepdim ? reshape(flat, x.shape.map(() => 1)) : flat;
  }
  const at = normalizeAxis(op, dim, x.ndim);
  if (x.shape[at] === 0) {
    throw new ShapeError(op, "an empty axis has no extremum", { input: x.shape });
  }
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
