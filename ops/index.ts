/** Picking and placing elements by index, and joining tensors. */
import { normalizeAxis, rangeError, ShapeError } from "./check.ts";
import {
  apply,
  type Attribute,
  commonBackend,
  defineOp,
  type OpDefinition,
  type Operand,
  resultType,
} from "./define.ts";
import { wholeTensor } from "./base.ts";
import { recordGradient } from "./autograd.ts";
import { currentTrace } from "./compile/trace.ts";
import { core } from "./base.ts";
import { convert, eq, where } from "./elementwise.ts";
import { type DType, isInteger } from "./ir/dtype.ts";
import { DtypeError } from "./check.ts";
import * as e from "./ir/expr.ts";
import type { Expr } from "./ir/expr.ts";
import { type ScatterKernel, sizeOf } from "./ir/kernel.ts";
import { ContractMethods } from "./contract.ts";
import { checkLabelRange } from "./labels.ts";
import type { Tensor } from "./tensor.ts";
import { contiguous, expand, reshape, slice, unsqueeze } from "./view.ts";

function checkIndex(op: string, index: Tensor): void {
  if (!isInteger(index.dtype)) {
    throw new DtypeError(op, `index has dtype ${index.dtype}, expects int32`);
  }
}

/** An index with negative values counted from the end. */
function wrapped(index: Operand, coordinates: readonly Expr[], size: number): Expr {
  const at = e.cast(index.at(coordinates), "int32");
  return e.select(e.lt(at, e.int(0)), e.add(at, e.int(size)), at);
}

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

/** Elements picked along an axis with broadcasting, like `torch.take_along_dim`. */
export function takeAlongDim(x: Tensor, index: Tensor, dim: number): Tensor {
  const axis = normalizeAxis("takeAlongDim", dim, x.ndim);
  const sizes = x.shape.map((s, d) => d === axis ? index.shape[d]! : Math.max(s, index.shape[d]!));
  const source = expand(x, x.shape.map((s, d) => d === axis ? s : sizes[d]!));
  return gather(source, axis, expand(index, sizes));
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

function scatterInto(
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
  paddingIdx?: number | undefined;
}

/**
 * Rows of a table, like `torch.nn.functional.embedding`. Positions out of range are an error on the
 * CPU.
 *
 * Shapes: input `[…]` int32, weight `[V, D]`, result `[…, D]`. Other devices read 0 for positions
 * out of range.
 */
export function embedding(input: Tensor, weight: Tensor, options: EmbeddingOptions = {}): Tensor {
  checkIndex("embedding", input);
  if (weight.ndim !== 2) {
    throw new ShapeError("embedding", "weight needs 2 dimensions", {
      input: input.shape,
      weight: weight.shape,
    });
  }
  const facts = { input: input.shape, weight: weight.shape };
  checkLabelRange("embedding", "input", input, weight.shape[0]!, facts);
  const { paddingIdx } = options;
  if (paddingIdx === undefined) return apply(INDEX_SELECT, [weight, input], { axis: 0 });
  const row = paddingIdx < 0 ? paddingIdx + weight.shape[0]! : paddingIdx;
  const rows = apply(INDEX_SELECT, [weight, input], { axis: 0 });
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

/** `x` where `mask` is false, `value` where it is true, like `torch.masked_fill`. */
export function maskedFill(x: Tensor, mask: Tensor, value: number | Tensor): Tensor {
  return convert(where(mask, value, x), x.dtype);
}

/** Most inputs that one kernel joins: GPUs bind few arrays at a time. */
const CAT_WIDTH = 6;

const CAT = defineOp<{ axis: number }>({
  name: "cat",
  lower(operands, { axis }) {
    const first = operands[0]!;
    const size = operands.reduce((n, x) => n + x.shape[axis]!, 0);
    const shape = first.shape.map((s, d) => d === axis ? size : s);
    const axes = e.axesOf(shape);
    let start = size;
    let value: Expr | undefined;
    for (const operand of [...operands].reverse()) {
      start -= operand.shape[axis]!;
      const at = e.sub(axes[axis]!, e.int(start));
      const guard = e.and(e.le(e.int(0), at), e.lt(at, e.int(operand.shape[axis]!)));
      const piece = operand.at(axes.map((a, d) => d === axis ? at : a), guard);
      value = value
        ? e.select(e.lt(axes[axis]!, e.int(start + operand.shape[axis]!)), piece, value)
        : piece;
    }
    const { dtype } = first;
    const inputs = operands.map((x) => ({ dtype: x.dtype }));
    const outputs = [{ dtype, value: value!, index: undefined }];
    return { kernel: { kind: "map", shape, inputs, outputs }, shapes: [shape] };
  },
  saves: "none",
  gradient: (c) => {
    const { axis } = c.attributes;
    const grads: (Tensor | undefined)[] = [];
    let start = 0;
    for (let i = 0; start < c.grad().shape[axis]!; i++) {
      const size = c.inputShape(i)[axis]!;
      grads.push(c.needs(i) ? slice(c.grad(), axis, start, start + size) : undefined);
      start += size;
    }
    return grads;
  },
});

/**
 * Tensors joined along an axis, like `torch.cat`.
 *
 * @param tensors At least one; equal sizes on all other axes. Empty one-dimensional tensors are skipped.
 * @param dim Axis.
 * @throws {ShapeError} If other sizes differ.
 */
export function cat(tensors: readonly Tensor[], dim = 0): Tensor {
  const parts = tensors.filter((x) => !(x.ndim === 1 && x.shape[0] === 0));
  if (!tensors.length) throw new ShapeError("cat", "needs at least one tensor");
  if (!parts.length) return tensors[0]!;
  const [first] = parts as [Tensor];
  const axis = normalizeAxis("cat", dim, first.ndim);
  for (const x of parts) {
    if (x.ndim !== first.ndim || x.shape.some((s, d) => d !== axis && s !== first.shape[d])) {
      throw new ShapeError("cat", `sizes differ outside of dim ${dim}`, {
        first: first.shape,
        other: x.shape,
      });
    }
  }
  commonBackend("cat", parts);
  const dtype = resultType(parts);
  return catParts(parts.map((x) => convert(x, dtype)), axis);
}

function catParts(parts: readonly Tensor[], axis: number): Tensor {
  if (parts.length === 1) return contiguous(parts[0]!, true);
  const outer = sizeOf(parts[0]!.shape.slice(0, axis));
  const trace = currentTrace();
  if (outer === 1 && trace && trace.backend === parts[0]!.storage.backend) {
    return packParts(parts, axis);
  }
  if (parts.length <= CAT_WIDTH) return apply(CAT, parts, { axis });
  const width = Math.ceil(parts.length / CAT_WIDTH);
  const groups: Tensor[] = [];
  for (let i = 0; i < parts.length; i += width) {
    groups.push(catParts(parts.slice(i, i + width), axis));
  }
  return catParts(groups, axis);
}

/** While tracing, parts that lie end to end become places of one array that their producers fill. */
function packParts(parts: readonly Tensor[], axis: number): Tensor {
  const trace = currentTrace()!;
  const whole = parts.map((x) => {
    const y = contiguous(x);
    return y.offset === 0 && y.storage.size === sizeOf(y.shape) ? y : contiguous(y, true);
  });
  const offsets: number[] = [];
  let size = 0;
  for (const x of whole) {
    offsets.push(size);
    size += sizeOf(x.shape);
  }
  const value = trace.pack(whole.map((x) => trace.valueOf(x.storage)), offsets, size, "cat");
  const length = parts.reduce((n, x) => n + x.shape[axis]!, 0);
  const shape = parts[0]!.shape.map((s, d) => d === axis ? length : s);
  const y = wholeTensor(trace.storageOf(value), shape);
  recordGradient(
    "cat",
    axis,
    (c) => {
      let start = 0;
      return whole.map((x, i) => {
        const from = start;
        start += x.shape[axis]!;
        return c.needs(i) ? slice(c.grad(), axis, from, start) : undefined;
      });
    },
    whole,
    [y],
    "none",
  );
  return y;
}

/** Tensors of one shape joined along a new axis, like `torch.stack`. */
export function stack(tensors: readonly Tensor[], dim = 0): Tensor {
  if (!tensors.length) throw new ShapeError("stack", "needs at least one tensor");
  const [first] = tensors as [Tensor];
  for (const x of tensors) {
    if (x.shape.length !== first.ndim || x.shape.some((s, d) => s !== first.shape[d])) {
      throw new ShapeError("stack", "shapes differ", { first: first.shape, other: x.shape });
    }
  }
  const axis = normalizeAxis("stack", dim, first.ndim + 1);
  return cat(tensors.map((x) => unsqueeze(x, axis)), axis);
}

/** Tensors side by side, like `torch.hstack`. */
export function hstack(tensors: readonly Tensor[]): Tensor {
  const lifted = tensors.map((x) => x.ndim === 0 ? reshape(x, [1]) : x);
  return cat(lifted, lifted[0]!.ndim === 1 ? 0 : 1);
}

/** Tensors on top of each other, like `torch.vstack`. */
export function vstack(tensors: readonly Tensor[]): Tensor {
  return cat(tensors.map((x) => x.ndim < 2 ? reshape(x, [1, -1]) : x), 0);
}

/** Each element (or slice) repeated, like `torch.repeat_interleave` with a number. */
export function repeatInterleave(x: Tensor, repeats: number, dim?: number | undefined): Tensor {
  if (dim === undefined) return repeatInterleave(reshape(x, [-1]), repeats, 0);
  const axis = normalizeAxis("repeatInterleave", dim, x.ndim);
  const wide = unsqueeze(x, axis + 1);
  const sizes = wide.shape.map((s, d) => d === axis + 1 ? repeats : s);
  return reshape(expand(wide, sizes), x.shape.map((s, d) => d === axis ? s * repeats : s));
}

const INDEX_PUT: OpDefinition<{ count: number; accumulate: boolean }> = defineOp({
  name: "indexPut",
  lower([base, values, ...indices], { count, accumulate }) {
    const { dtype, shape: target } = base!;
    const shape = values!.shape;
    const axes = e.axesOf(shape);
    const rank = shape.length - (target.length - count);
    const places = indices.map((index, d) => wrapped(index, axes.slice(0, rank), target[d]!));
    const kernel: ScatterKernel = {
      kind: "scatter",
      size: sizeOf(target),
      init: base!.at(e.unravel(e.axis(0, sizeOf(target)), target)),
      shape,
      parallel: axes.map((_, d) => d).filter((d) => d >= rank),
      op: accumulate ? "add" : "set",
      target: e.ravel([...places, ...axes.slice(rank)], target),
      value: values!.at(axes),
      guard: undefined,
      inputs: [base!, values!, ...indices].map((x) => ({ dtype: x.dtype })),
      outputs: [{ dtype, value: e.constant(0, dtype), index: undefined }],
    };
    return { kernel, shapes: [target] };
  },
  gradient: (c) => {
    const { count, accumulate } = c.attributes;
    const indices = Array.from({ length: count }, (_, i) => c.input(2 + i));
    const picked = c.needs(1) ? indexBy(c.grad(), indices) : undefined;
    if (accumulate) return [c.grad(), picked];
    const zero = core().fullOn(c.grad().storage.backend, c.inputShape(1), 0, c.grad().dtype);
    return [apply(INDEX_PUT, [c.grad(), zero, ...indices], c.attributes), picked];
  },
});

const INDEX_BY = defineOp<{ count: number }>({
  name: "indexBy",
  lower([x, ...indices], { count }) {
    const rank = indices[0]!.shape.length;
    const shape = [...indices[0]!.shape, ...x!.shape.slice(count)];
    const axes = e.axesOf(shape);
    const places = indices.map((index, d) => wrapped(index, axes.slice(0, rank), x!.shape[d]!));
    const value = x!.at([...places, ...axes.slice(rank)]);
    const inputs = [x!, ...indices].map((o) => ({ dtype: o.dtype }));
    const outputs = [{ dtype: x!.dtype, value, index: undefined }];
    return { kernel: { kind: "map", shape, inputs, outputs }, shapes: [shape] };
  },
  gradient: (c) => {
    const indices = Array.from({ length: c.attributes.count }, (_, i) => c.input(1 + i));
    const zero = core().fullOn(c.grad().storage.backend, c.inputShape(0), 0, c.grad().dtype);
    return [
      apply(INDEX_PUT, [zero, c.grad(), ...indices], {
        count: c.attributes.count,
        accumulate: true,
      }),
    ];
  },
});

/** Elements at tuples of positions on the leading axes, like `x[i, j]` with index tensors. */
export function indexBy(x: Tensor, indices: readonly Tensor[]): Tensor {
  for (const index of indices) checkIndex("indexBy", index);
  return apply(INDEX_BY, [x, ...broadcastAll(indices)], { count: indices.length });
}

function broadcastAll(tensors: readonly Tensor[]): Tensor[] {
  const rank = Math.max(...tensors.map((t) => t.ndim));
  const shape = Array.from(
    { length: rank },
    (_, d) => Math.max(...tensors.map((t) => t.shape[d - rank + t.ndim] ?? 1)),
  );
  return tensors.map((t) => expand(t, shape));
}

/** A copy with values at tuples of positions on the leading axes, like `torch.index_put`. */
export function indexPut(
  x: Tensor,
  indices: readonly Tensor[],
  values: Tensor,
  options: { accumulate?: boolean | undefined } = {},
): Tensor {
  const places = broadcastAll(indices);
  const shape = [...places[0]!.shape, ...x.shape.slice(indices.length)];
  const attributes = { count: indices.length, accumulate: options.accumulate ?? false };
  return apply(INDEX_PUT, [x, expand(values, shape), ...places], attributes);
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
  /** See the function `maskedFill`. */
  maskedFill(this: Tensor, mask: Tensor, value: number | Tensor): Tensor {
    return maskedFill(this, mask, value);
  }
  /** See the function `repeatInterleave`. */
  repeatInterleave(this: Tensor, repeats: number, dim?: number | undefined): Tensor {
    return repeatInterleave(this, repeats, dim);
  }
}
