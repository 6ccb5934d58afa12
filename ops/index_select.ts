/** Slices picked and added by a vector of positions; one-hot rows. */
import { add, mul, sub } from "./arithmetic.ts";
import { core } from "./base.ts";
import { normalizeAxis, rangeError, ShapeError } from "./check.ts";
import { where } from "./choice.ts";
import { eq, gt } from "./comparison.ts";
import { apply, defineOp, type OpDefinition } from "./define.ts";
import { noGrad } from "./grad_mode.ts";
import { checkIndex, wrapped } from "./index_check.ts";
import type { DType } from "./ir/dtype.ts";
import * as e from "./ir/expr.ts";
import { type ScatterKernel, sizeOf } from "./ir/kernel.ts";
import { checkLabelRange } from "./labels.ts";
import { vectorNorm } from "./norm.ts";
import { reciprocal } from "./power.ts";
import type { Tensor } from "./tensor.ts";
import { reshape, unsqueeze } from "./view.ts";

const INDEX_SELECT: OpDefinition<{ axis: number }> = defineOp<{ axis: number }>({
  name: "indexSelect",
  lower([x, index], { axis }) {
    const before = x!.shape.slice(0, axis), after = x!.shape.slice(axis + 1);
    const shape = [...before, ...index!.shape, ...after];
    const axes = e.axesOf(shape);
    const rank = index!.shape.length;
    const at = wrapped(index!, axes.slice(axis, axis + rank), x!.shape[axis]!);
    const inside = e.and(e.le(e.int(0), at), e.lt(at, e.int(x!.shape[axis]!)));
    const value = x!.at([...axes.slice(0, axis), at, ...axes.slice(axis + rank)], inside);
    const inputs = [{ dtype: x!.dtype }, { dtype: index!.dtype }];
    const outputs = [{ dtype: x!.dtype, value, index: undefined }];
    return { kernel: { kind: "map", shape, inputs, outputs }, shapes: [shape] };
  },
  gradient: (c) => [
    apply(INDEX_ADD, [c.input(1), c.grad()], {
      axis: c.attributes.axis,
      shape: c.inputShape(0),
    }),
    undefined,
  ],
});

const INDEX_ADD: OpDefinition<{ axis: number; shape: readonly number[] }> = defineOp({
  name: "indexAdd",
  lower([index, source], { axis, shape }) {
    const { dtype } = source!;
    const axes = e.axesOf(source!.shape);
    const rank = index!.shape.length;
    const indexAxes = axes.slice(axis, axis + rank);
    const at = wrapped(index!, indexAxes, shape[axis]!);
    const inside = e.and(e.le(e.int(0), at), e.lt(at, e.int(shape[axis]!)));
    const target = e.ravel([...axes.slice(0, axis), at, ...axes.slice(axis + rank)], shape);
    const kernel: ScatterKernel = {
      kind: "scatter",
      size: sizeOf(shape),
      init: e.constant(0, dtype),
      shape: source!.shape,
      parallel: axes.map((_, d) => d).filter((d) => d < axis || d >= axis + rank),
      op: "add",
      target,
      value: source!.at(axes),
      guard: inside,
      inputs: [{ dtype: index!.dtype }, { dtype }],
      outputs: [{ dtype, value: e.constant(0, dtype), index: undefined }],
    };
    return { kernel, shapes: [shape] };
  },
  gradient: (c) => [
    undefined,
    apply(INDEX_SELECT, [c.grad(), c.input(0)], { axis: c.attributes.axis }),
  ],
});

/** Rows (or other slices) picked by a vector of positions, like `torch.index_select`. */
export function indexSelect(x: Tensor, dim: number, index: Tensor): Tensor {
  checkIndex("indexSelect", index);
  const axis = normalizeAxis("indexSelect", dim, x.ndim);
  if (index.ndim > 1) {
    throw new ShapeError("indexSelect", "index needs at most 1 dimension", { index: index.shape });
  }
  if (x.ndim === 0) return reshape(indexSelect(reshape(x, [1]), 0, index), []);
  return apply(INDEX_SELECT, [x, reshape(index, [-1])], { axis });
}

/** `x` with `alpha · source` added to the slices named by `index`, like `torch.index_add`. */
export function indexAdd(
  x: Tensor,
  dim: number,
  index: Tensor,
  source: Tensor,
  options: { alpha?: number | undefined } = {},
): Tensor {
  checkIndex("indexAdd", index);
  if (x.ndim === 0) {
    return reshape(
      indexAdd(reshape(x, [1]), 0, reshape(index, [-1]), reshape(source, [-1]), options),
      [],
    );
  }
  const axis = normalizeAxis("indexAdd", dim, x.ndim);
  const scaled = options.alpha === undefined || options.alpha === 1
    ? source
    : source.mul(options.alpha);
  return x.add(apply(INDEX_ADD, [reshape(index, [-1]), scaled], { axis, shape: x.shape }));
}

/** Options of `embedding`. */
export interface EmbeddingOptions {
  /** Row whose gradient is dropped. */
  paddingIdx?: number | undefined | null;
  /** Rows that are looked up and longer are shortened to this, in place. */
  maxNorm?: number | undefined | null;
  /** Which norm `maxNorm` limits. @default 2 */
  normType?: number | undefined;
  /** Divide gradients by how often a row is looked up. @default false */
  scaleGradByFreq?: boolean | undefined;
}

/** Which rows of a table of `size` rows are looked up how often. */
function frequencies(input: Tensor, size: number, dtype: DType): Tensor {
  const flat = reshape(input, [-1]);
  const one = core().fullOn(input.storage.backend, flat.shape, 1, dtype);
  return apply(INDEX_ADD, [flat, one], { axis: 0, shape: [size] });
}

/** Shortens the rows that are looked up, outside of autograd. */
function shortenRows(input: Tensor, weight: Tensor, limit: number, ord: number): void {
  noGrad(() => {
    const length = vectorNorm(weight, { ord, dim: 1, keepdim: true });
    const used = unsqueeze(gt(frequencies(input, weight.shape[0]!, weight.dtype), 0), 1);
    const factor = where(gt(length, limit), mul(reciprocal(add(length, 1e-7)), limit), 1);
    weight.copy_(mul(weight, where(used, factor, 1)));
  });
}

/** The value of `x` with `share` of its gradient. */
function withShare(x: Tensor, share: Tensor): Tensor {
  const part = mul(x, share);
  return add(part, sub(x, part).detach());
}

/**
 * Rows of a table, like `torch.nn.functional.embedding`. Positions out of range are an error on the
 * CPU.
 *
 * Shapes: input `[…]` int32, weight `[V, D]`, result `[…, D]`. Other devices read 0 for positions
 * out of range.
 *
 * @throws {ShapeError} If the weight is no matrix.
 * @throws {RangeError} If a position is out of range.
 */
export function embedding(input: Tensor, weight: Tensor, options: EmbeddingOptions = {}): Tensor {
  checkIndex("embedding", input);
  const facts = { input: input.shape, weight: weight.shape };
  if (weight.ndim !== 2) throw new ShapeError("embedding", "weight needs 2 dimensions", facts);
  const size = weight.shape[0]!;
  checkLabelRange("embedding", "input", input, size, facts, undefined, "rows");
  const { paddingIdx, maxNorm, normType = 2, scaleGradByFreq } = options;
  if (maxNorm !== undefined && maxNorm !== null) shortenRows(input, weight, maxNorm, normType);
  let rows = apply(INDEX_SELECT, [weight, input], { axis: 0 });
  if (scaleGradByFreq) {
    const counts = frequencies(input, size, weight.dtype);
    const each = apply(INDEX_SELECT, [reciprocal(counts.maximum(1)), input], { axis: 0 });
    rows = withShare(rows, unsqueeze(each, -1));
  }
  if (paddingIdx === undefined || paddingIdx === null) return rows;
  const row = paddingIdx < 0 ? paddingIdx + size : paddingIdx;
  return where(unsqueeze(eq(input, row), -1), rows.detach(), rows);
}

const ONE_HOT = defineOp<{ classes: number; dtype: DType }>({
  name: "oneHot",
  lower([index], { classes, dtype }) {
    const shape = [...index!.shape, classes];
    const axes = e.axesOf(shape);
    const value = e.cast(e.eq(e.cast(index!.at(axes.slice(0, -1)), "int32"), axes.at(-1)!), dtype);
    const outputs = [{ dtype, value, index: undefined }];
    return {
      kernel: { kind: "map", shape, inputs: [{ dtype: index!.dtype }], outputs },
      shapes: [shape],
    };
  },
});

/** Ones at the positions named, in a new last axis of `classes`, like `torch.nn.functional.one_hot`. */
export function oneHot(
  index: Tensor,
  classes: number,
  options: { dtype?: DType | undefined } = {},
): Tensor {
  checkIndex("oneHot", index);
  if (!Number.isInteger(classes) || classes < 1) {
    throw rangeError("oneHot", `classes ${classes} is not positive`);
  }
  checkLabelRange("oneHot", "index", index, classes, { index: index.shape });
  return apply(ONE_HOT, [index], { classes, dtype: options.dtype ?? "int32" });
}
