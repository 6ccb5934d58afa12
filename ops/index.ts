/** Elements picked and placed along one axis; indexing as methods of tensors. */
import { convert } from "./convert.ts";
import { core } from "./base.ts";
import { normalizeAxis, ShapeError } from "./check.ts";
import { where } from "./choice.ts";
import { ContractMethods } from "./contract.ts";
import { apply, type Attribute, defineOp } from "./define.ts";
import { checkIndex, wrapped } from "./index_check.ts";
import { indexAdd, indexSelect } from "./index_select.ts";
import * as e from "./ir/expr.ts";
import { type ScatterKernel, sizeOf } from "./ir/kernel.ts";
import { repeatInterleave } from "./join.ts";
import { slice } from "./slice.ts";
import type { Tensor } from "./tensor.ts";
import { expand, reshape } from "./view.ts";

const GATHER = defineOp<{ axis: number }>({
  name: "gather",
  lower([x, index], { axis }) {
    const { shape } = index!;
    const axes = e.axesOf(shape);
    const at = wrapped(index!, axes, x!.shape[axis]!);
    const inside = e.and(e.le(e.int(0), at), e.lt(at, e.int(x!.shape[axis]!)));
    const value = x!.at(axes.map((a, d) => d === axis ? at : a), inside);
    const inputs = [{ dtype: x!.dtype }, { dtype: index!.dtype }];
    const outputs = [{ dtype: x!.dtype, value, index: undefined }];
    return { kernel: { kind: "map", shape, inputs, outputs }, shapes: [shape] };
  },
  gradient: (c) => {
    const zero = core().fullOn(c.grad().storage.backend, c.inputShape(0), 0, c.grad().dtype);
    return [scatterInto(zero, c.attributes.axis, c.input(1), c.grad(), "add"), undefined];
  },
});

/**
 * Elements picked along one axis, like `torch.gather`: `out[i][j] = x[index[i][j]][j]` for axis 0.
 *
 * @param x Any tensor.
 * @param dim Axis to pick along.
 * @param index int32, as many axes as `x`, not larger than `x` on the others; out of range reads 0.
 */
export function gather(x: Tensor, dim: number, index: Tensor): Tensor {
  checkIndex("gather", index);
  if (x.ndim === 0) {
    return reshape(gather(reshape(x, [1]), 0, reshape(index, [sizeOf(index.shape)])), index.shape);
  }
  const axis = normalizeAxis("gather", dim, x.ndim);
  if (sizeOf(index.shape) === 0) {
    // Nothing is read, whatever the shapes.
    return reshape(slice(reshape(x, [-1]), 0, 0, 0), index.shape);
  }
  const fits = index.ndim === x.ndim && index.shape.every((s, d) => d === axis || s <= x.shape[d]!);
  if (!fits) {
    throw new ShapeError("gather", "index does not fit the input", {
      input: x.shape,
      index: index.shape,
    });
  }
  return apply(GATHER, [x, index], { axis });
}

type ScatterOp = ScatterKernel["op"];

interface ScatterAttributes {
  readonly [name: string]: Attribute;
  readonly axis: number;
  readonly op: ScatterOp;
}

const SCATTER = defineOp<ScatterAttributes>({
  name: "scatter",
  lower([base, index, source], { axis, op }) {
    const { shape } = index!;
    const axes = e.axesOf(shape);
    const size = sizeOf(base!.shape);
    const at = wrapped(index!, axes, base!.shape[axis]!);
    const inside = e.and(e.le(e.int(0), at), e.lt(at, e.int(base!.shape[axis]!)));
    const target = e.ravel(axes.map((a, d) => d === axis ? at : a), base!.shape);
    const { dtype } = base!;
    const kernel: ScatterKernel = {
      kind: "scatter",
      size,
      init: base!.at(e.unravel(e.axis(0, size), base!.shape)),
      shape,
      parallel: shape.map((_, d) => d).filter((d) => d !== axis),
      op,
      target,
      value: e.cast(source!.at(axes), dtype),
      guard: inside,
      inputs: [{ dtype }, { dtype: index!.dtype }, { dtype: source!.dtype }],
      outputs: [{ dtype, value: e.constant(0, dtype), index: undefined }],
    };
    return { kernel, shapes: [base!.shape] };
  },
  gradient: (c) => {
    const { axis, op } = c.attributes;
    if (op !== "add" && op !== "set") throw new Error(`scatter: "${op}" has no gradient`);
    const picked = c.needs(2) ? gather(c.grad(), axis, c.input(1)) : undefined;
    const sliced = picked && core().sumToShape(picked, c.input(1).shape);
    const source = sliced && padTo(sliced, c.inputShape(2));
    if (op === "add") return [c.grad(), undefined, source];
    const zero = core().fullOn(c.grad().storage.backend, c.input(1).shape, 0, c.grad().dtype);
    return [scatterInto(c.grad(), axis, c.input(1), zero, "set"), undefined, source];
  },
});

function padTo(x: Tensor, shape: readonly number[]): Tensor {
  return x.pad([...shape.map((s, d) => [0, s - x.shape[d]!]).reverse().flat()]);
}

/** The scatter kernel on checked arguments: add and set have gradients. */
export function scatterInto(
  base: Tensor,
  axis: number,
  index: Tensor,
  source: Tensor,
  op: ScatterOp,
): Tensor {
  return apply(SCATTER, [base, index, source], { axis, op });
}

function scatterChecked(
  name: string,
  x: Tensor,
  dim: number,
  index: Tensor,
  source: Tensor | number,
  op: ScatterOp,
): Tensor {
  checkIndex(name, index);
  const axis = normalizeAxis(name, dim, x.ndim);
  const values = typeof source === "object"
    ? source
    : expand(core().fullOn(x.storage.backend, [], source, x.dtype), index.shape);
  const fits = index.ndim === x.ndim && values.ndim === x.ndim &&
    index.shape.every((s, d) => (d === axis || s <= x.shape[d]!) && s <= values.shape[d]!);
  if (x.ndim === 0) {
    return reshape(
      scatterInto(reshape(x, [1]), 0, reshape(index, [-1]), reshape(values, [-1]), op),
      [],
    );
  }
  if (!fits) {
    throw new ShapeError(name, "index does not fit the input and the source", {
      input: x.shape,
      index: index.shape,
      source: values.shape,
    });
  }
  return scatterInto(x, axis, index, values, op);
}

/** A copy with values placed along an axis, like `torch.scatter`; a reduction combines instead of replacing. */
export function scatter(
  x: Tensor,
  dim: number,
  index: Tensor,
  source: Tensor | number,
  options: { reduce?: "add" | "multiply" | undefined } = {},
): Tensor {
  const op = options.reduce === "add" ? "add" : options.reduce === "multiply" ? "mul" : "set";
  return scatterChecked("scatter", x, dim, index, source, op);
}

/** A copy with values added along an axis, like `torch.scatter_add`; in a fixed order, so results repeat. */
export function scatterAdd(x: Tensor, dim: number, index: Tensor, source: Tensor): Tensor {
  return scatterChecked("scatterAdd", x, dim, index, source, "add");
}

/**
 * A copy with the slices that a vector of positions names replaced, like `torch.index_copy`. Positions
 * out of range are left out.
 *
 * @param x Any tensor.
 * @param dim Axis of the positions.
 * @param index int32, one position per slice of `source`.
 * @param source The slices: shape of `x`, but for `dim`.
 * @throws {ShapeError} If shapes do not agree.
 */
export function indexCopy(x: Tensor, dim: number, index: Tensor, source: Tensor): Tensor {
  checkIndex("indexCopy", index);
  const axis = normalizeAxis("indexCopy", dim, x.ndim);
  const positions = reshape(index, [-1]);
  if (x.ndim === 0) {
    return reshape(indexCopy(reshape(x, [1]), 0, positions, reshape(source, [1])), []);
  }
  const fits = index.ndim <= 1 && source.ndim === x.ndim &&
    source.shape.every((s, d) => s === (d === axis ? positions.shape[0] : x.shape[d]));
  if (!fits) {
    throw new ShapeError("indexCopy", "index and source do not fit the input", {
      input: x.shape,
      index: index.shape,
      source: source.shape,
    });
  }
  const along = reshape(positions, source.shape.map((s, d) => d === axis ? s : 1));
  return scatterInto(x, axis, expand(along, source.shape), source, "set");
}

/** `x` where `mask` is false, `value` where it is true, like `torch.masked_fill`. */
export function maskedFill(x: Tensor, mask: Tensor, value: number | Tensor): Tensor {
  return convert(where(mask, value, x), x.dtype);
}

/** Methods of tensors from this file. */
export abstract class IndexMethods extends ContractMethods {
  /** See the function `gather`. */
  gather(this: Tensor, dim: number, index: Tensor): Tensor {
    return gather(this, dim, index);
  }
  /** See the function `scatter`. */
  scatter(
    this: Tensor,
    dim: number,
    index: Tensor,
    source: Tensor | number,
    options?: { reduce?: "add" | "multiply" | undefined },
  ): Tensor {
    return scatter(this, dim, index, source, options);
  }
  /** See the function `scatterAdd`. */
  scatterAdd(this: Tensor, dim: number, index: Tensor, source: Tensor): Tensor {
    return scatterAdd(this, dim, index, source);
  }
  /** See the function `indexSelect`. */
  indexSelect(this: Tensor, dim: number, index: Tensor): Tensor {
    return indexSelect(this, dim, index);
  }
  /** See the function `indexAdd`. */
  indexAdd(
    this: Tensor,
    dim: number,
    index: Tensor,
    source: Tensor,
    options?: { alpha?: number | undefined },
  ): Tensor {
    return indexAdd(this, dim, index, source, options);
  }
  /** See the function `indexCopy`. */
  indexCopy(this: Tensor, dim: number, index: Tensor, source: Tensor): Tensor {
    return indexCopy(this, dim, index, source);
  }
  /** See the function `maskedFill`. */
  maskedFill(this: Tensor, mask: Tensor, value: number | Tensor): Tensor {
    return maskedFill(this, mask, value);
  }
  /** See the function `repeatInterleave`. */
  repeatInterleave(this: Tensor, repeats: number, dim?: number | undefined): Tensor {
    return repeatInterleave(this, repeats, dim);
  }
}
