/** Elements combined, filled and picked at positions: what is composed of `index.ts`. */
import { differentiable, type GradientContext } from "./autograd.ts";
import { div, mul, sub } from "./arithmetic.ts";
import { core } from "./base.ts";
import { broadcastShapes, normalizeAxis, ShapeError } from "./check.ts";
import { maximum, where } from "./choice.ts";
import { eq, ne } from "./comparison.ts";
import { convert } from "./convert.ts";
import { gather, indexCopy, scatter, scatterAdd } from "./index.ts";
import { checkIndex } from "./index_check.ts";
import { scatterInto } from "./index_kernels.ts";
import { indexSelect } from "./index_select.ts";
import { type DType, isFloat } from "./ir/dtype.ts";
import { owned } from "./own.ts";
import { sameValue } from "./shared_gradient.ts";
import { slice } from "./slice.ts";
import { cumsum } from "./sort.ts";
import { StatisticsMethods } from "./statistics_methods.ts";
import type { Tensor } from "./tensor.ts";
import { expand, reshape } from "./view.ts";

/** How `scatterReduce` combines. */
export type ScatterReduction = "sum" | "prod" | "mean" | "amax" | "amin";

/** Lowest value of a dtype, which is the start of a maximum. */
function lowest(dtype: DType): number {
  return isFloat(dtype) ? -Infinity : dtype === "int32" ? -(2 ** 31) : 0;
}

/** Largest value of a dtype, which is the start of a minimum. */
function largest(dtype: DType): number {
  if (isFloat(dtype)) return Infinity;
  return dtype === "int32" ? 2 ** 31 - 1 : dtype === "uint32" ? 2 ** 32 - 1 : 1;
}

function neutral(reduce: ScatterReduction, dtype: DType): number {
  if (reduce === "amax") return lowest(dtype);
  if (reduce === "amin") return largest(dtype);
  return reduce === "prod" ? 1 : 0;
}

/**
 * A copy with values combined along an axis, like `torch.scatter_reduce`; in a fixed order, so that
 * results repeat. Ties share the gradient of extrema.
 *
 * @param x Any tensor.
 * @param dim Axis of the positions.
 * @param index int32, as many axes as `x`.
 * @param source Values, at least as large as `index`.
 * @param reduce `"sum"`, `"prod"`, `"mean"`, `"amax"` or `"amin"`.
 * @param options Whether what `x` holds takes part.
 * @throws {ShapeError} If `index` does not fit.
 */
export function scatterReduce(
  x: Tensor,
  dim: number,
  index: Tensor,
  source: Tensor,
  reduce: ScatterReduction,
  options: { includeSelf?: boolean | undefined } = {},
): Tensor {
  checkIndex("scatterReduce", index);
  const axis = normalizeAxis("scatterReduce", dim, x.ndim);
  if (x.ndim === 0) {
    const flat = (t: Tensor) => reshape(t, [t.numel]);
    return reshape(scatterReduce(flat(x), 0, flat(index), flat(source), reduce, options), []);
  }
  const fits = index.ndim === x.ndim && source.ndim === x.ndim &&
    index.shape.every((s, d) => (d === axis || s <= x.shape[d]!) && s <= source.shape[d]!);
  if (!fits) {
    throw new ShapeError("scatterReduce", "index does not fit the input and the source", {
      input: x.shape,
      index: index.shape,
      source: source.shape,
    });
  }
  if (index.numel === 0) return owned(x, x);
  const used = index.shape.reduce((t, s, d) => s < t.shape[d]! ? slice(t, d, 0, s) : t, source);
  const values = convert(used, x.dtype);
  const { includeSelf = true } = options;
  const base = includeSelf ? x : scatter(x, axis, index, neutral(reduce, x.dtype));
  if (reduce === "sum") return scatterAdd(base, axis, index, values);
  if (reduce === "mean") return meanAt(base, axis, index, values, includeSelf);
  if (reduce === "prod") return productAt(base, axis, index, values);
  return extremumAt(base, axis, index, values, reduce);
}

function filled(like: Tensor, shape: readonly number[], value: number, dtype?: DType): Tensor {
  return core().fullOn(like.storage.backend, shape, value, dtype ?? like.dtype);
}

function meanAt(
  base: Tensor,
  axis: number,
  index: Tensor,
  values: Tensor,
  includeSelf: boolean,
): Tensor {
  const start = filled(base, base.shape, includeSelf ? 1 : 0);
  const counts = scatterAdd(start, axis, index, filled(base, index.shape, 1));
  const total = scatterAdd(base, axis, index, values);
  const roundingMode = isFloat(base.dtype) ? undefined : "floor";
  return div(total, maximum(counts, 1), { roundingMode });
}

function productAt(base: Tensor, axis: number, index: Tensor, values: Tensor): Tensor {
  const forward = () => scatterInto(base, axis, index, values, "mul");
  return differentiable("scatterProduct", null, [base, values], forward, (c) => {
    const [x, y] = [c.input(0), c.input(1)];
    const zeroX = eq(x, 0), zeroY = eq(y, 0);
    const zeros = scatterAdd(convert(zeroX, "int32"), axis, index, convert(zeroY, "int32"));
    const factorsX = where(zeroX, 1, x), factorsY = where(zeroY, 1, y);
    const rest = productAt(factorsX, axis, index, factorsY);
    // The product of the other elements, right also where some are zero.
    const others = (zero: Tensor, factors: Tensor, count: Tensor, product: Tensor) =>
      where(eq(count, convert(zero, "int32")), div(product, factors), 0);
    const ofY = () =>
      mul(
        gather(c.grad(), axis, index),
        others(zeroY, factorsY, gather(zeros, axis, index), gather(rest, axis, index)),
      );
    return [
      c.needs(0) ? mul(c.grad(), others(zeroX, factorsX, zeros, rest)) : undefined,
      c.needs(1) ? ofY() : undefined,
    ];
  });
}

function extremumAt(
  base: Tensor,
  axis: number,
  index: Tensor,
  values: Tensor,
  reduce: "amax" | "amin",
): Tensor {
  const op = reduce === "amax" ? "max" : "min";
  const gradient = (c: GradientContext) => {
    const result = c.output();
    const best = convert(sameValue(c.input(0), result), c.inputDtype(0));
    const chosen = convert(sameValue(c.input(1), gather(result, axis, index)), c.inputDtype(1));
    const share = div(c.grad(), maximum(scatterAdd(best, axis, index, chosen), 1));
    return [mul(best, share), mul(chosen, gather(share, axis, index))];
  };
  const forward = () => scatterInto(base, axis, index, values, op);
  return differentiable("scatterExtremum", null, [base, values], forward, gradient, "both");
}

/**
 * A copy with the slices that a vector of positions names filled with one value, like
 * `torch.index_fill`.
 *
 * @param x Any tensor.
 * @param dim Axis of the positions.
 * @param index int32, at most 1 dimension.
 * @param value A number, or a tensor of 0 dimensions.
 * @throws {ShapeError} If `index` or `value` has more dimensions.
 */
export function indexFill(x: Tensor, dim: number, index: Tensor, value: number | Tensor): Tensor {
  checkIndex("indexFill", index);
  const axis = normalizeAxis("indexFill", dim, x.ndim);
  if (index.ndim > 1 || (typeof value === "object" && value.ndim > 0)) {
    throw new ShapeError("indexFill", "expects a vector of positions and one value", {
      index: index.shape,
      ...typeof value === "object" ? { value: value.shape } : {},
    });
  }
  const size = x.shape[axis] ?? 1;
  const [none, one] = [[size], [index.numel]].map((s, i) => filled(x, s, i, "int32"));
  const named = ne(indexCopy(none!, 0, reshape(index, [index.numel]), one!), 0);
  const mask = reshape(named, x.shape.map((_, d) => d === axis ? size : 1));
  return convert(where(mask, value, x), x.dtype);
}

/**
 * A copy with the elements where `mask` is true replaced by those of `source`, one after the other,
 * like `torch.masked_scatter`. Where `source` has too few, 0 is written.
 *
 * @param x Any tensor.
 * @param mask Bool; broadcasts to `x`.
 * @param source Values, read in row-major order.
 */
export function maskedScatter(x: Tensor, mask: Tensor, source: Tensor): Tensor {
  const wide = expand(mask, broadcastShapes("maskedScatter", [x.shape, mask.shape]));
  const input = expand(x, wide.shape);
  if (input.numel === 0 || source.numel === 0) return owned(input, x);
  const count = cumsum(convert(reshape(wide, [wide.numel]), "int32"), 0);
  const flat = reshape(source, [source.numel]);
  const picked = gather(flat, 0, maximum(sub(count, 1), 0));
  return where(ne(wide, 0), convert(reshape(picked, wide.shape), x.dtype), input);
}

/** Elements at positions of the flat tensor, of the shape of `index`, like `torch.take`. */
export function take(x: Tensor, index: Tensor): Tensor {
  checkIndex("take", index);
  const picked = indexSelect(reshape(x, [x.numel]), 0, reshape(index, [index.numel]));
  return reshape(picked, index.shape);
}

/**
 * Elements picked along an axis with broadcasting, like `torch.take_along_dim`; without `dim` from the
 * flat tensor.
 *
 * @throws {ShapeError} If the shapes do not broadcast beside the axis.
 */
export function takeAlongDim(x: Tensor, index: Tensor, dim?: number | undefined): Tensor {
  if (dim === undefined) return take(x, reshape(index, [index.numel]));
  const axis = normalizeAxis("takeAlongDim", dim, x.ndim);
  if (x.ndim !== index.ndim) {
    throw new ShapeError("takeAlongDim", "index needs as many dimensions as the input", {
      input: x.shape,
      index: index.shape,
    });
  }
  const others = (t: Tensor) => t.shape.map((s, d) => d === axis ? 1 : s);
  const shape = broadcastShapes("takeAlongDim", [others(x), others(index)]);
  const wide = (t: Tensor) => expand(t, shape.map((s, d) => d === axis ? t.shape[d]! : s));
  return gather(wide(x), axis, wide(index));
}

/** Methods of tensors from this file. */
export abstract class PlaceMethods extends StatisticsMethods {
  /** See the function `scatterReduce`. */
  scatterReduce(
    this: Tensor,
    dim: number,
    index: Tensor,
    source: Tensor,
    reduce: ScatterReduction,
    options?: { includeSelf?: boolean | undefined },
  ): Tensor {
    return scatterReduce(this, dim, index, source, reduce, options);
  }
  /** See the function `indexFill`. */
  indexFill(this: Tensor, dim: number, index: Tensor, value: number | Tensor): Tensor {
    return indexFill(this, dim, index, value);
  }
  /** See the function `maskedScatter`. */
  maskedScatter(this: Tensor, mask: Tensor, source: Tensor): Tensor {
    return maskedScatter(this, mask, source);
  }
  /** See the function `take`. */
  take(this: Tensor, index: Tensor): Tensor {
    return take(this, index);
  }
  /** See the function `takeAlongDim`. */
  takeAlongDim(this: Tensor, index: Tensor, dim?: number | undefined): Tensor {
    return takeAlongDim(this, index, dim);
  }
}
