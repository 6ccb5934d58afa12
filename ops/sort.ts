/** Order and running combinations along an axis. */
import { differentiable } from "./autograd.ts";
import { normalizeAxis, rangeError, ShapeError, shapeText } from "./check.ts";
import { apply, type Attribute, defineOp, type TensorOrNumber } from "./define.ts";
import { convert } from "./convert.ts";
import { div, mul } from "./arithmetic.ts";
import { eq, ge, gt, logicalNot, logicalOr, ne } from "./comparison.ts";
import { where } from "./choice.ts";
import { arange } from "./create.ts";
import { isFloat } from "./ir/dtype.ts";
import * as e from "./ir/expr.ts";
import { type ScanKernel, sizeOf } from "./ir/kernel.ts";
import { gather, IndexMethods } from "./index.ts";
import { sum } from "./reduce.ts";
import type { ValuesAndIndices } from "./extremum.ts";
import type { Tensor } from "./tensor.ts";
import { contiguous, movedim, reshape, unsqueeze } from "./view.ts";
import { slice } from "./slice.ts";
import { owned } from "./own.ts";
import { sharedBy } from "./shared_gradient.ts";

const SORT = defineOp<{ rows: number; length: number; descending: boolean }>({
  name: "sort",
  lower([x], { rows, length, descending }) {
    const outputs = [{ dtype: "int32" as const, value: e.int(0), index: undefined }];
    const kernel = {
      kind: "sort" as const,
      rows,
      length,
      descending,
      inputs: [{ dtype: x!.dtype }],
      outputs,
    };
    return { kernel, shapes: [[rows, length]] };
  },
});

/** Options of sorting functions. */
export interface SortOptions {
  /** Largest first. @default false */
  descending?: boolean | undefined;
}

/** Positions that put an axis in order, int32, like `torch.argsort`; stable. */
export function argsort(x: Tensor, dim = -1, options: SortOptions = {}): Tensor {
  const axis = normalizeAxis("argsort", dim, x.ndim);
  if (x.ndim === 0) return x.mul(0).to("int32");
  const last = movedim(x.detach(), axis, -1);
  const length = last.shape.at(-1)!;
  const rows = length ? sizeOf(last.shape) / length : 0;
  const flat = contiguous(reshape(last, [rows, length]));
  // The kernel reads input 0 from its first element on.
  const source = flat.offset === 0 ? flat : contiguous(flat, true);
  const order = apply(SORT, [source], { rows, length, descending: options.descending ?? false });
  return movedim(reshape(order, last.shape), -1, axis);
}

/** An axis in order, with the positions the values come from, like `torch.sort`; stable. */
export function sort(x: Tensor, dim = -1, options: SortOptions = {}): ValuesAndIndices {
  const indices = argsort(x, dim, options);
  return { values: gather(x, dim, indices), indices };
}

/** What sorting gives for a number: itself, at 0. */
function single(x: Tensor): ValuesAndIndices {
  return { values: owned(x, x), indices: x.mul(0).to("int32") };
}

/** The `k` largest (or smallest) elements of an axis in order, like `torch.topk`. */
export function topk(
  x: Tensor,
  k: number,
  dim = -1,
  options: { largest?: boolean | undefined } = {},
): ValuesAndIndices {
  const axis = normalizeAxis("topk", dim, x.ndim);
  const size = x.shape[axis] ?? 1;
  if (!Number.isInteger(k) || k < 0 || k > size) {
    throw rangeError("topk", `k ${k} is out of range for size ${size}`, { input: x.shape });
  }
  if (x.ndim === 0) return single(x);
  const order = argsort(x, axis, { descending: options.largest ?? true });
  const indices = slice(order, axis, 0, k);
  return { values: gather(x, axis, indices), indices };
}

/** Median (the lower of two; NaN where there is one, or no element) of all elements, like `torch.median`; equal elements share the gradient. */
export function median(x: Tensor): Tensor;
/** Median along an axis with its position. @throws {ShapeError} If the axis is empty. */
export function median(
  x: Tensor,
  dim: number,
  options?: { keepdim?: boolean | undefined },
): ValuesAndIndices;
export function median(
  x: Tensor,
  dim?: number,
  options: { keepdim?: boolean | undefined } = {},
): Tensor | ValuesAndIndices {
  if (dim === undefined) return medianOfAll(x);
  const axis = normalizeAxis("median", dim, x.ndim);
  if (x.ndim === 0) return single(x);
  const size = x.shape[axis]!;
  if (size === 0) throw new ShapeError("median", "an empty axis has no median", { input: x.shape });
  const { values, indices } = sort(x, axis);
  // NaN are last; where there is one, the first of them is the answer.
  const numbers = sum(eq(values, values), axis, { keepdim: true });
  const at = where(eq(numbers, size), Math.floor((size - 1) / 2), numbers);
  const pick = (t: Tensor) => {
    const one = gather(t, axis, at);
    return options.keepdim ? one : reshape(one, one.shape.filter((_, d) => d !== axis));
  };
  return { values: pick(values), indices: pick(indices) };
}

function medianOfAll(x: Tensor): Tensor {
  if (x.numel === 0) {
    if (isFloat(x.dtype)) return sum(x).add(NaN);
    throw new ShapeError("median", "an empty tensor has no median", { input: x.shape });
  }
  const middle = () => median(reshape(x, [x.numel]), 0).values;
  return differentiable("median", null, [x], middle, (c) => [sharedBy(c)], "both");
}

type ScanOp = ScanKernel["op"];

interface ScanAttributes {
  readonly [name: string]: Attribute;
  readonly axis: number;
  readonly op: ScanOp;
}

const SCAN = defineOp<ScanAttributes>({
  name: "scan",
  lower([x], { axis, op }) {
    const { shape } = x!;
    const { dtype } = x!;
    const outputs = [{ dtype, value: e.acc(0, dtype), index: undefined }];
    const kernel: ScanKernel = {
      kind: "scan",
      shape,
      axis,
      op,
      body: x!.at(e.axesOf(shape)),
      inputs: [{ dtype }],
      outputs,
    };
    return { kernel, shapes: [shape] };
  },
  saves: "both",
  gradient: (c) => {
    const { axis, op } = c.attributes;
    if (op === "sum") return [reversedSum(c.grad(), axis)];
    if (op === "prod") return [productGradient(c.input(0), c.output(), c.grad(), axis)];
    throw new Error(`scan: "${op}" has no gradient of its own`);
  },
});

function reversedSum(x: Tensor, axis: number): Tensor {
  const reversed = (y: Tensor) => slice(y, axis, null, null, -1);
  return reversed(cumsum(reversed(x), axis));
}

/** d prod_j / d x_i = prod of the others; where an element is zero it is computed without division. */
function productGradient(x: Tensor, y: Tensor, grad: Tensor, axis: number): Tensor {
  const zero = eq(x, 0);
  const simple = div(reversedSum(mul(grad, y), axis), where(zero, 1, x));
  const firstZero = eq(cumsum(convert(zero, "int32"), axis), 1).logicalAnd(zero);
  const filled = where(firstZero, 1, x);
  const zeroSeen = eq(cumsum(convert(firstZero, "int32"), axis), 1);
  const others = where(zeroSeen, cumprod(filled, axis), 0);
  const special = reversedSum(mul(grad, others), axis);
  return where(firstZero, special, where(zero, 0, simple));
}

function scan(name: string, op: ScanOp, x: Tensor, dim: number): Tensor {
  const axis = normalizeAxis(name, dim, x.ndim);
  const numbers = x.dtype === "bool" ? convert(x, "int32") : x;
  return x.ndim === 0 ? owned(numbers, x) : apply(SCAN, [numbers], { axis, op });
}

/** Running sum along an axis, like `torch.cumsum`. */
export function cumsum(x: Tensor, dim: number): Tensor {
  return scan("cumsum", "sum", x, dim);
}

/** Running product along an axis, like `torch.cumprod`. */
export function cumprod(x: Tensor, dim: number): Tensor {
  return scan("cumprod", "prod", x, dim);
}

function runningExtremum(
  name: string,
  op: "max" | "min",
  x: Tensor,
  dim: number,
): ValuesAndIndices {
  const axis = normalizeAxis(name, dim, x.ndim);
  if (x.ndim === 0) return single(x);
  const each = x.detach();
  const isExtremum = logicalOr(eq(each, scan(name, op, each, axis)), ne(each, each));
  const length = x.shape[axis]!;
  const positions = reshape(
    arange(0, length, 1, { dtype: "int32", device: x.device }),
    x.shape.map((_, d) => d === axis ? length : 1),
  );
  // The last element that was the extremum is where it was last reached.
  const indices = scan(name, "max", where(isExtremum, positions, 0), axis);
  return { values: gather(x, axis, indices), indices };
}

/** Running maximum (NaN from the first one on) and where it was last reached, like `torch.cummax`. */
export function cummax(x: Tensor, dim: number): ValuesAndIndices {
  return runningExtremum("cummax", "max", x, dim);
}

/** Running minimum (NaN from the first one on) and where it was last reached, like `torch.cummin`. */
export function cummin(x: Tensor, dim: number): ValuesAndIndices {
  return runningExtremum("cummin", "min", x, dim);
}

/** Options of `searchsorted`. */
export interface SearchOptions {
  /** Behind equal elements instead of in front of them. @default false */
  right?: boolean | undefined;
  /** Positions that put `sorted` in order, if it is not. */
  sorter?: Tensor | undefined | null;
}

/** Positions at which values would be inserted into ordered rows, int32, like `torch.searchsorted`. */
export function searchsorted(
  sorted: Tensor,
  values: TensorOrNumber,
  options: SearchOptions = {},
): Tensor {
  const { right = false, sorter } = options;
  const ordered = sorter ? gather(sorted, -1, sorter) : sorted;
  // NaN is neither below nor above anything, and lies behind all.
  const before = (rows: Tensor, v: TensorOrNumber) =>
    sum(logicalNot(right ? gt(rows, v) : ge(rows, v)), -1);
  if (typeof values !== "object") return before(ordered, values);
  const lead = (x: Tensor) => shapeText(x.shape.slice(0, -1));
  if (ordered.ndim !== 1 && (ordered.ndim !== values.ndim || lead(ordered) !== lead(values))) {
    throw new ShapeError("searchsorted", "rows of sorted and values do not correspond", {
      sorted: sorted.shape,
      values: values.shape,
    });
  }
  const wide = unsqueeze(values, -1);
  const rows = ordered.ndim === 1 ? ordered : unsqueeze(ordered, -2);
  return before(rows, wide);
}

/** Methods of tensors from this file. */
export abstract class SortMethods extends IndexMethods {
  /** See the function `sort`. */
  sort(this: Tensor, dim?: number, options?: SortOptions): ValuesAndIndices {
    return sort(this, dim, options);
  }
  /** See the function `argsort`. */
  argsort(this: Tensor, dim?: number, options?: SortOptions): Tensor {
    return argsort(this, dim, options);
  }
  /** See the function `topk`. */
  topk(
    this: Tensor,
    k: number,
    dim?: number,
    options?: { largest?: boolean | undefined },
  ): ValuesAndIndices {
    return topk(this, k, dim, options);
  }
  /** Median of all elements. */
  median(this: Tensor): Tensor;
  /** See the function `median`. */
  median(this: Tensor, dim: number, options?: { keepdim?: boolean | undefined }): ValuesAndIndices;
  median(
    this: Tensor,
    dim?: number,
    options?: { keepdim?: boolean | undefined },
  ): Tensor | ValuesAndIndices {
    return dim === undefined ? median(this) : median(this, dim, options);
  }
  /** See the function `cumsum`. */
  cumsum(this: Tensor, dim: number): Tensor {
    return cumsum(this, dim);
  }
  /** See the function `cumprod`. */
  cumprod(this: Tensor, dim: number): Tensor {
    return cumprod(this, dim);
  }
}
