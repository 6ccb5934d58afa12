/** Other ways to see the same elements, and the few copies that a view cannot express. */
import { contiguousStrides, core, isContiguous, makeTensor, type View } from "./base.ts";
import {
  checkSizes,
  normalizeAxes,
  normalizeAxis,
  rangeError,
  ShapeError,
  shapeText,
} from "./check.ts";
import { type GradientContext, recordGradient } from "./autograd.ts";
import { apply, type Attribute, defineOp, type OpDefinition } from "./define.ts";
import * as e from "./ir/expr.ts";
import type { Expr } from "./ir/expr.ts";
import { sizeOf } from "./ir/kernel.ts";
import { MathMethods } from "./math.ts";
import type { Tensor } from "./tensor.ts";

/** A view of `x`'s storage, with the gradient that undoes it. */
function viewOf(
  name: string,
  x: Tensor,
  view: View,
  gradient: (context: GradientContext<Attribute>) => Tensor,
): Tensor {
  const y = makeTensor(x.storage, view);
  recordGradient(name, null, (c) => [gradient(c)], [x], [y], "none");
  return y;
}

const COPY = defineOp<null>({
  name: "contiguous",
  lower([x]) {
    const value = x!.at(e.axesOf(x!.shape));
    const { dtype, shape } = x!;
    const outputs = [{ dtype, value, index: undefined }];
    return { kernel: { kind: "map", shape, inputs: [{ dtype }], outputs }, shapes: [shape] };
  },
  saves: "none",
  gradient: (c) => [c.grad()],
});

/**
 * The same values row-major without gaps, like `Tensor.contiguous`: the tensor itself where it is
 * so already, else a copy.
 *
 * @param x Any tensor.
 * @param copy Copy in any case.
 */
export function contiguous(x: Tensor, copy = false): Tensor {
  return !copy && isContiguous(x) ? x : apply(COPY, [x], null);
}

/** A copy with a storage of its own, like `torch.clone`. */
export function clone(x: Tensor): Tensor {
  return contiguous(x, true);
}

/** Fills in a −1 and checks the number of elements. */
function resolveShape(op: string, x: Tensor, shape: readonly number[]): number[] {
  const unknown = shape.filter((s) => s === -1).length;
  const known = shape.reduce((n, s) => s === -1 ? n : n * s, 1);
  const total = sizeOf(x.shape);
  if (unknown > 1) throw new ShapeError(op, "only one size can be −1", { shape });
  const resolved = shape.map((s) => s === -1 ? (known === 0 ? 0 : total / known) : s);
  if (resolved.some((s) => !Number.isInteger(s) || s < 0) || sizeOf(resolved) !== total) {
    throw new ShapeError(op, `${total} elements do not fit the shape ${shapeText(shape)}`, {
      input: x.shape,
    });
  }
  return resolved;
}

/** Strides under which `x` reads as `shape` without a copy, if there are any. */
function reshapeStrides(x: Tensor, shape: readonly number[]): number[] | undefined {
  if (isContiguous(x)) return contiguousStrides(shape);
  const strides: number[] = new Array(shape.length);
  let to = shape.length - 1;
  let from = x.shape.length - 1;
  while (from >= 0) {
    // A run of old axes that walks memory evenly must be covered by a run of new axes.
    let block = x.shape[from]!;
    const step = x.strides[from]!;
    while (from > 0 && (x.shape[from - 1] === 1 || x.strides[from - 1] === block * step)) {
      block *= x.shape[--from]!;
    }
    let covered = 1;
    while (to >= 0 && covered < block) {
      strides[to] = covered * step;
      covered *= shape[to--]!;
    }
    if (covered !== block) return undefined;
    from--;
  }
  for (; to >= 0; to--) strides[to] = 1;
  return strides;
}

/**
 * The elements in row-major order under another shape, like `torch.reshape`; a view where possible.
 * One size may be −1.
 *
 * @throws {ShapeError} If the number of elements differs.
 *
 * @example
 * ```ts
 * import { arange } from "@tensaurus/core";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(arange(6).reshape([2, -1]).shape, [2, 3]);
 * ```
 */
export function reshape(x: Tensor, shape: readonly number[]): Tensor {
  const sizes = resolveShape("reshape", x, shape);
  const strides = reshapeStrides(x, sizes);
  const source = strides ? x : contiguous(x, true);
  const view = {
    shape: sizes,
    strides: strides ?? contiguousStrides(sizes),
    offset: source.offset,
  };
  return viewOf("reshape", source, view, (c) => reshape(c.grad(), c.inputShape(0)));
}

/** Merges axes `startDim` to `endDim` into one, like `torch.flatten`. */
export function flatten(x: Tensor, startDim = 0, endDim = -1): Tensor {
  const from = normalizeAxis("flatten", startDim, x.ndim, "startDim");
  const to = normalizeAxis("flatten", endDim, x.ndim, "endDim");
  if (x.ndim === 0) return reshape(x, [1]);
  if (from > to) throw rangeError("flatten", `startDim ${startDim} comes after endDim ${endDim}`);
  const merged = sizeOf(x.shape.slice(from, to + 1));
  return reshape(x, [...x.shape.slice(0, from), merged, ...x.shape.slice(to + 1)]);
}

/** Splits axis `dim` into `sizes`, like `torch.unflatten`. */
export function unflatten(x: Tensor, dim: number, sizes: readonly number[]): Tensor {
  const at = normalizeAxis("unflatten", dim, x.ndim);
  const size = x.shape[at]!;
  const known = sizes.reduce((n, s) => s === -1 ? n : n * s, 1);
  const filled = sizes.map((s) => s === -1 ? size / known : s);
  return reshape(x, [...x.shape.slice(0, at), ...filled, ...x.shape.slice(at + 1)]);
}

/** Axes in another order, like `torch.permute`. */
export function permute(x: Tensor, dims: readonly number[]): Tensor {
  const order = normalizeAxes("permute", dims, x.ndim);
  if (order.length !== x.ndim) {
    throw new ShapeError("permute", `${dims.length} axes named, the tensor has ${x.ndim}`, {
      input: x.shape,
      dims,
    });
  }
  const view = {
    shape: order.map((d) => x.shape[d]!),
    strides: order.map((d) => x.strides[d]!),
    offset: x.offset,
  };
  const inverse = order.map((_, d) => order.indexOf(d));
  return viewOf("permute", x, view, (c) => permute(c.grad(), inverse));
}

/** Two axes swapped, like `torch.transpose`. */
export function transpose(x: Tensor, dim0: number, dim1: number): Tensor {
  const a = normalizeAxis("transpose", dim0, x.ndim, "dim0");
  const b = normalizeAxis("transpose", dim1, x.ndim, "dim1");
  if (x.ndim === 0) return x;
  const order = x.shape.map((_, d) => d === a ? b : d === b ? a : d);
  return permute(x, order);
}

/** Axes moved to new places, the others in their order, like `torch.movedim`. */
export function movedim(
  x: Tensor,
  source: number | readonly number[],
  destination: number | readonly number[],
): Tensor {
  const from = normalizeAxes("movedim", source, x.ndim);
  const to = normalizeAxes("movedim", destination, x.ndim);
  const order: number[] = new Array(x.ndim).fill(-1);
  for (const [i, d] of to.entries()) order[d] = from[i]!;
  const rest = x.shape.map((_, d) => d).filter((d) => !from.includes(d));
  return permute(x, order.map((d) => d === -1 ? rest.shift()! : d));
}

/** Axes of size 1 (and new ones in front) repeated to `shape`, without a copy, like `torch.expand`; −1 keeps a size. */
export function expand(x: Tensor, shape: readonly number[]): Tensor {
  const skip = shape.length - x.ndim;
  const sizes = shape.map((s, d) => s === -1 && d >= skip ? x.shape[d - skip]! : s);
  checkSizes("expand", sizes);
  const fits = skip >= 0 && x.shape.every((s, d) => s === 1 || s === sizes[skip + d]);
  if (!fits) throw new ShapeError("expand", "sizes do not broadcast", { input: x.shape, shape });
  const strides = sizes.map((s, d) =>
    d < skip || (x.shape[d - skip] === 1 && s !== 1) ? 0 : x.strides[d - skip]!
  );
  const view = { shape: sizes, strides, offset: x.offset };
  return viewOf("expand", x, view, (c) => core().sumToShape(c.grad(), c.inputShape(0)));
}

/** A new axis of size 1, like `torch.unsqueeze`. */
export function unsqueeze(x: Tensor, dim: number): Tensor {
  const at = normalizeAxis("unsqueeze", dim, x.ndim + 1);
  return reshape(x, [...x.shape.slice(0, at), 1, ...x.shape.slice(at)]);
}

/** Axes of size 1 taken away (all, or those named), like `torch.squeeze`. */
export function squeeze(x: Tensor, dim?: number | readonly number[] | undefined): Tensor {
  const drop = normalizeAxes("squeeze", dim, x.ndim);
  return reshape(x, x.shape.filter((s, d) => s !== 1 || !drop.includes(d)));
}

/**
 * Every `step`-th element of one axis from `start` up to `stop`, like `x[…, start:stop:step]`.
 * Negative positions count from the end; a negative step runs backwards.
 */
export function slice(
  x: Tensor,
  dim: number,
  start?: number | undefined | null,
  stop?: number | undefined | null,
  step = 1,
): Tensor {
  const at = normalizeAxis("slice", dim, x.ndim);
  if (!Number.isInteger(step) || step === 0) {
    throw rangeError("slice", `step ${step} is not allowed`);
  }
  const size = x.shape[at] ?? 1;
  const low = step > 0 ? 0 : -1, high = step > 0 ? size : size - 1;
  const place = (p: number | undefined | null, missing: number) =>
    p === undefined || p === null ? missing : Math.min(Math.max(p < 0 ? p + size : p, low), high);
  const from = place(start, step > 0 ? 0 : size - 1);
  const to = place(stop, step > 0 ? size : -1);
  const length = Math.max(0, Math.ceil((to - from) / step));
  const shape = x.shape.map((s, d) => d === at ? length : s);
  const strides = x.strides.map((s, d) => d === at ? s * step : s);
  const offset = x.offset + (length ? from * (x.strides[at] ?? 0) : 0);
  return viewOf(
    "slice",
    x,
    { shape, strides, offset },
    (c) =>
      embed(
        c.grad(),
        c.inputShape(0),
        shape.map((_, d) => d === at ? from : 0),
        shape.map((_, d) => d === at ? step : 1),
      ),
  );
}

/** `length` elements of one axis from `start`, like `torch.narrow`. */
export function narrow(x: Tensor, dim: number, start: number, length: number): Tensor {
  const at = normalizeAxis("narrow", dim, x.ndim);
  const size = x.shape[at] ?? 1;
  const from = start < 0 ? start + size : start;
  if (from < 0 || length < 0 || from + length > size) {
    throw rangeError("narrow", `${start} + ${length} is out of range for size ${size}`, {
      input: x.shape,
    });
  }
  return slice(x, at, from, from + length);
}

/** One position of an axis, which disappears, like `torch.select`. */
export function select(x: Tensor, dim: number, index: number): Tensor {
  const at = normalizeAxis("select", dim, x.ndim);
  const size = x.shape[at] ?? 0;
  if (!Number.isInteger(index) || index < -size || index >= size) {
    throw rangeError("select", `index ${index} is out of range for size ${size}`, {
      input: x.shape,
    });
  }
  const from = index < 0 ? index + size : index;
  const picked = slice(x, at, from, from + 1);
  return reshape(picked, x.shape.filter((_, d) => d !== at));
}

/** The positions of an axis as separate tensors, like `torch.unbind`. */
export function unbind(x: Tensor, dim = 0): Tensor[] {
  const at = normalizeAxis("unbind", dim, x.ndim);
  return Array.from({ length: x.shape[at] ?? 0 }, (_, i) => select(x, at, i));
}

/** Pieces of one axis: of `sizeOrSizes` elements each, or of the sizes listed; like `torch.split`. */
export function split(x: Tensor, sizeOrSizes: number | readonly number[], dim = 0): Tensor[] {
  const at = normalizeAxis("split", dim, x.ndim);
  const total = x.shape[at] ?? 0;
  let sizes = sizeOrSizes;
  if (typeof sizes === "number") {
    if (sizes <= 0) throw rangeError("split", `size ${sizes} is not positive`);
    const each = sizes;
    const count = Math.max(1, Math.ceil(total / each));
    sizes = Array.from({ length: count }, (_, i) => Math.min(each, total - i * each));
  }
  const sum = sizes.reduce((a, b) => a + b, 0);
  if (sum !== total) {
    throw new ShapeError("split", `sizes add up to ${sum}, dim ${dim} has ${total}`, {
      input: x.shape,
      sizes,
    });
  }
  let start = 0;
  return sizes.map((size) => {
    const piece = slice(x, at, start, start + size);
    start += size;
    return piece;
  });
}

/** At most `chunks` pieces of equal size (the last may be smaller), like `torch.chunk`. */
export function chunk(x: Tensor, chunks: number, dim = 0): Tensor[] {
  if (!Number.isInteger(chunks) || chunks < 1) {
    throw rangeError("chunk", `chunks ${chunks} is not positive`);
  }
  const size = x.shape[normalizeAxis("chunk", dim, x.ndim)] ?? 0;
  return split(x, Math.max(1, Math.ceil(size / chunks)), dim);
}

/** Axes read backwards, like `torch.flip`. */
export function flip(x: Tensor, dims: number | readonly number[]): Tensor {
  let y = x;
  for (const d of normalizeAxes("flip", dims, x.ndim)) y = slice(y, d, null, null, -1);
  return y;
}

/** Columns read backwards, like `torch.fliplr`. */
export function fliplr(x: Tensor): Tensor {
  return flip(x, 1);
}

/** Rows read backwards, like `torch.flipud`. */
export function flipud(x: Tensor): Tensor {
  return flip(x, 0);
}

interface EmbedAttributes {
  readonly [name: string]: Attribute;
  readonly shape: readonly number[];
  readonly starts: readonly number[];
  readonly steps: readonly number[];
  readonly value: number;
}

const EMBED = defineOp<EmbedAttributes>({
  name: "embed",
  lower([x], { shape, starts, steps, value }) {
    const axes = e.axesOf(shape);
    let guard: Expr | undefined;
    const coordinates = axes.map((axis, d) => {
      const step = steps[d]!, start = starts[d]!, size = x!.shape[d]!;
      const signed = step > 0 ? e.sub(axis, e.int(start)) : e.sub(e.int(start), axis);
      const stride = Math.abs(step);
      if (start > 0 || step < 0) guard = e.and(guard, e.le(e.int(0), signed));
      if (stride > 1) guard = e.and(guard, e.eq(e.imod(signed, stride), e.int(0)));
      guard = e.and(guard, e.lt(signed, e.int(size * stride)));
      return e.idiv(signed, stride);
    });
    const loaded = x!.at(coordinates, guard);
    const { dtype } = x!;
    const padded = value === 0 || !guard
      ? loaded
      : e.select(guard, loaded, e.constant(value, dtype));
    const outputs = [{ dtype, value: padded, index: undefined }];
    return { kernel: { kind: "map", shape, inputs: [{ dtype }], outputs }, shapes: [shape] };
  },
  saves: "none",
  gradient: (c) => {
    const { starts, steps } = c.attributes;
    let g = c.grad();
    for (const [d, size] of c.inputShape(0).entries()) {
      const start = starts[d]!, step = steps[d]!, stop = start + size * step;
      g = slice(g, d, start, stop < 0 ? null : stop, step);
    }
    return [g];
  },
});

/** Puts `x` into a larger array of `value`: element i of axis d goes to `starts[d] + i · steps[d]`. */
export function embed(
  x: Tensor,
  shape: readonly number[],
  starts: readonly number[],
  steps: readonly number[],
  value = 0,
): Tensor {
  return apply(EMBED, [x], { shape, starts, steps, value });
}

/**
 * Constant padding, like `torch.nn.functional.pad`: pairs (before, after) for the last axis, then
 * the one before it, and so on. Negative amounts cut.
 */
export function padConstant(x: Tensor, padding: readonly number[], value = 0): Tensor {
  if (padding.length % 2 || padding.length / 2 > x.ndim) {
    throw new ShapeError("pad", `${padding.length} amounts do not fit ${x.ndim} dimensions`, {
      input: x.shape,
      padding,
    });
  }
  let y = x;
  const starts: number[] = x.shape.map(() => 0);
  const shape = [...x.shape];
  for (let pair = 0; pair < padding.length / 2; pair++) {
    const d = x.ndim - 1 - pair;
    const before = padding[2 * pair]!, after = padding[2 * pair + 1]!;
    y = slice(y, d, Math.max(0, -before), y.shape[d]! + Math.min(0, after));
    starts[d] = Math.max(0, before);
    shape[d] = y.shape[d]! + Math.max(0, before) + Math.max(0, after);
    if (x.shape[d]! + before + after < 0) {
      throw new ShapeError("pad", `dim ${d} would have a negative size`, {
        input: x.shape,
        padding,
      });
    }
  }
  if (shape.every((s, d) => s === y.shape[d])) return y;
  return embed(y, shape, starts, shape.map(() => 1), value);
}

/** The diagonal of two axes as a last axis, like `torch.diagonal`. */
export function diagonal(x: Tensor, offset = 0, dim1 = 0, dim2 = 1): Tensor {
  const a = normalizeAxis("diagonal", dim1, x.ndim, "dim1");
  const b = normalizeAxis("diagonal", dim2, x.ndim, "dim2");
  if (a === b) throw rangeError("diagonal", `dim1 and dim2 are both ${dim1}`);
  const row = Math.max(0, -offset), column = Math.max(0, offset);
  const length = Math.max(0, Math.min(x.shape[a]! - row, x.shape[b]! - column));
  const keep = x.shape.map((_, d) => d).filter((d) => d !== a && d !== b);
  const view = {
    shape: [...keep.map((d) => x.shape[d]!), length],
    strides: [...keep.map((d) => x.strides[d]!), x.strides[a]! + x.strides[b]!],
    offset: x.offset + (length ? row * x.strides[a]! + column * x.strides[b]! : 0),
  };
  return viewOf("diagonal", x, view, (c) => {
    const shape = c.inputShape(0);
    const rows = shape[a]!, columns = shape[b]!;
    return movedim(diagonalEmbed(c.grad(), rows, columns, row, column), [-2, -1], [a, b]);
  });
}

const DIAGONAL_EMBED = defineOp<{ rows: number; columns: number; row: number; column: number }>({
  name: "diagonalEmbed",
  lower([x], { rows, columns, row, column }) {
    const outer = x!.shape.slice(0, -1);
    const shape = [...outer, rows, columns];
    const axes = e.axesOf(shape);
    const i = e.sub(axes[outer.length]!, e.int(row)),
      j = e.sub(axes[outer.length + 1]!, e.int(column));
    const inside = e.and(e.le(e.int(0), i), e.lt(i, e.int(x!.shape[outer.length]!)));
    const value = x!.at([...axes.slice(0, outer.length), i], e.and(inside, e.eq(i, j)));
    const { dtype } = x!;
    const outputs = [{ dtype, value, index: undefined }];
    return { kernel: { kind: "map", shape, inputs: [{ dtype }], outputs }, shapes: [shape] };
  },
  saves: "none",
  gradient: (c) => {
    const { row, column } = c.attributes;
    const length = c.inputShape(0).at(-1)!;
    const block = slice(slice(c.grad(), -2, row, row + length), -1, column, column + length);
    return [diagonal(block, 0, -2, -1)];
  },
});

function diagonalEmbed(
  x: Tensor,
  rows: number,
  columns: number,
  row: number,
  column: number,
): Tensor {
  return apply(DIAGONAL_EMBED, [x], { rows, columns, row, column });
}

/** A vector as the diagonal of a square matrix, or the diagonal of a matrix, like `torch.diag`. */
export function diag(x: Tensor, offset = 0): Tensor {
  if (x.ndim === 2) return diagonal(x, offset);
  if (x.ndim !== 1) throw new ShapeError("diag", `expects 1 or 2 dimensions`, { input: x.shape });
  const size = x.shape[0]! + Math.abs(offset);
  return diagonalEmbed(x, size, size, Math.max(0, -offset), Math.max(0, offset));
}

const TRIANGLE: OpDefinition<{ diagonal: number; lower: boolean }> = defineOp({
  name: "triangle",
  lower([x], { diagonal: shift, lower }) {
    const { shape, dtype } = x!;
    const axes = e.axesOf(shape);
    const i = axes[shape.length - 2]!, j = axes[shape.length - 1]!;
    const limit = e.add(i, e.int(shift));
    const value = x!.at(axes, lower ? e.le(j, limit) : e.le(limit, j));
    const outputs = [{ dtype, value, index: undefined }];
    return { kernel: { kind: "map", shape, inputs: [{ dtype }], outputs }, shapes: [shape] };
  },
  saves: "none",
  gradient: (c) => [apply(TRIANGLE, [c.grad()], c.attributes)],
});

/** Zeros above the diagonal, like `torch.tril`. */
export function tril(x: Tensor, shift = 0): Tensor {
  return apply(TRIANGLE, [x], { diagonal: shift, lower: true });
}

/** Zeros below the diagonal, like `torch.triu`. */
export function triu(x: Tensor, shift = 0): Tensor {
  return apply(TRIANGLE, [x], { diagonal: shift, lower: false });
}

const ROLL: OpDefinition<{ shifts: readonly number[] }> = defineOp({
  name: "roll",
  lower([x], { shifts }) {
    const { shape, dtype } = x!;
    const coordinates = e.axesOf(shape).map((axis, d) =>
      shifts[d] ? e.imod(e.add(axis, e.int(shape[d]! - shifts[d]!)), shape[d]!) : axis
    );
    const outputs = [{ dtype, value: x!.at(coordinates), index: undefined }];
    return { kernel: { kind: "map", shape, inputs: [{ dtype }], outputs }, shapes: [shape] };
  },
  saves: "none",
  gradient: (c) => {
    const shape = c.inputShape(0);
    const shifts = c.attributes.shifts.map((s, d) => s ? shape[d]! - s : 0);
    return [apply(ROLL, [c.grad()], { shifts })];
  },
});

/** Elements shifted along axes, those that leave come back in front, like `torch.roll`; without `dims` the tensor is rolled flat. */
export function roll(
  x: Tensor,
  shifts: number | readonly number[],
  dims?: number | readonly number[] | undefined,
): Tensor {
  const amounts = typeof shifts === "number" ? [shifts] : shifts;
  if (dims === undefined) return reshape(roll(reshape(x, [-1]), amounts, 0), x.shape);
  const axes = normalizeAxes("roll", dims, x.ndim);
  const wrapped: number[] = x.shape.map(() => 0);
  for (const [i, d] of axes.entries()) {
    const size = Math.max(1, x.shape[d]!);
    wrapped[d] = ((amounts[i]! % size) + size) % size;
  }
  return sizeOf(x.shape) === 0 ? x : apply(ROLL, [x], { shifts: wrapped });
}

/** The tensor repeated `repeats[d]` times along each axis, like `Tensor.repeat`; new axes come in front. */
export function repeat(x: Tensor, repeats: readonly number[]): Tensor {
  const skip = repeats.length - x.ndim;
  if (skip < 0) {
    throw new ShapeError("repeat", `${repeats.length} counts for ${x.ndim} dimensions`, {
      input: x.shape,
      repeats,
    });
  }
  const sizes = repeats.map((_, d) => d < skip ? 1 : x.shape[d - skip]!);
  const split = reshape(x, sizes.flatMap((s) => [1, s]));
  const spread = expand(split, sizes.flatMap((s, d) => [repeats[d]!, s]));
  return reshape(spread, sizes.map((s, d) => s * repeats[d]!));
}

/** Like `repeat`, but missing counts in front are 1, like `torch.tile`. */
export function tile(x: Tensor, repeats: readonly number[]): Tensor {
  const missing = Math.max(0, x.ndim - repeats.length);
  return repeat(x, [...new Array<number>(missing).fill(1), ...repeats]);
}

/** A window of `size` every `step` along `dim`, as a new last axis, like `Tensor.unfold`. */
export function unfold(x: Tensor, dim: number, size: number, step: number): Tensor {
  const at = normalizeAxis("unfold", dim, x.ndim);
  const length = x.shape[at] ?? 1;
  if (size > length || step < 1) {
    throw rangeError("unfold", `size ${size} and step ${step} do not fit size ${length}`);
  }
  const count = Math.floor((length - size) / step) + 1;
  const view = {
    shape: [...x.shape.map((s, d) => d === at ? count : s), size],
    strides: [...x.strides.map((s, d) => d === at ? s * step : s), x.strides[at] ?? 0],
    offset: x.offset,
  };
  return viewOf("unfold", x, view, (c) => {
    const g = c.grad(), shape = c.inputShape(0);
    // Overlapping windows add up: one shifted copy per place in the window.
    let total: Tensor | undefined;
    for (let place = 0; place < size; place++) {
      const piece = select(g, -1, place);
      const starts = shape.map((_, d) => d === at ? place : 0);
      const steps = shape.map((_, d) => d === at ? step : 1);
      const wide = embed(piece, shape, starts, steps);
      total = total ? total.add(wide) : wide;
    }
    return total!;
  });
}

/** Plane of two axes turned by 90° `k` times, like `torch.rot90`. */
export function rot90(x: Tensor, k = 1, dims: readonly [number, number] = [0, 1]): Tensor {
  const [a, b] = normalizeAxes("rot90", dims, x.ndim) as [number, number];
  const turns = ((k % 4) + 4) % 4;
  if (turns === 0) return x;
  if (turns === 2) return flip(x, [a, b]);
  return turns === 1 ? transpose(flip(x, b), a, b) : flip(transpose(x, a, b), b);
}

/** The values cut off from the autograd graph, like `Tensor.detach`; shares memory. */
export function detach(x: Tensor): Tensor {
  return makeTensor(x.storage, x);
}

/** Methods of tensors from this file. */
export abstract class ViewMethods extends MathMethods {
  /** See the function `contiguous`. */
  contiguous(this: Tensor): Tensor {
    return contiguous(this);
  }
  /** See the function `clone`. */
  clone(this: Tensor): Tensor {
    return clone(this);
  }
  /** See the function `reshape`. */
  reshape(this: Tensor, shape: readonly number[]): Tensor {
    return reshape(this, shape);
  }
  /** See the function `reshape`. */
  view(this: Tensor, shape: readonly number[]): Tensor {
    return reshape(this, shape);
  }
  /** See the function `flatten`. */
  flatten(this: Tensor, startDim?: number, endDim?: number): Tensor {
    return flatten(this, startDim, endDim);
  }
  /** See the function `unflatten`. */
  unflatten(this: Tensor, dim: number, sizes: readonly number[]): Tensor {
    return unflatten(this, dim, sizes);
  }
  /** See the function `permute`. */
  permute(this: Tensor, dims: readonly number[]): Tensor {
    return permute(this, dims);
  }
  /** See the function `transpose`. */
  transpose(this: Tensor, dim0: number, dim1: number): Tensor {
    return transpose(this, dim0, dim1);
  }
  /** See the function `movedim`. */
  movedim(
    this: Tensor,
    source: number | readonly number[],
    destination: number | readonly number[],
  ): Tensor {
    return movedim(this, source, destination);
  }
  /** See the function `expand`. */
  expand(this: Tensor, shape: readonly number[]): Tensor {
    return expand(this, shape);
  }
  /** See the function `unsqueeze`. */
  unsqueeze(this: Tensor, dim: number): Tensor {
    return unsqueeze(this, dim);
  }
  /** See the function `squeeze`. */
  squeeze(this: Tensor, dim?: number | readonly number[] | undefined): Tensor {
    return squeeze(this, dim);
  }
  /** See the function `slice`. */
  slice(
    this: Tensor,
    dim: number,
    start?: number | undefined | null,
    stop?: number | undefined | null,
    step?: number,
  ): Tensor {
    return slice(this, dim, start, stop, step);
  }
  /** See the function `narrow`. */
  narrow(this: Tensor, dim: number, start: number, length: number): Tensor {
    return narrow(this, dim, start, length);
  }
  /** See the function `select`. */
  select(this: Tensor, dim: number, index: number): Tensor {
    return select(this, dim, index);
  }
  /** See the function `flip`. */
  flip(this: Tensor, dims: number | readonly number[]): Tensor {
    return flip(this, dims);
  }
  /** See the function `diagonal`. */
  diagonal(this: Tensor, offset?: number, dim1?: number, dim2?: number): Tensor {
    return diagonal(this, offset, dim1, dim2);
  }
  /** See the function `tril`. */
  tril(this: Tensor, shift?: number): Tensor {
    return tril(this, shift);
  }
  /** See the function `triu`. */
  triu(this: Tensor, shift?: number): Tensor {
    return triu(this, shift);
  }
  /** See the function `roll`. */
  roll(
    this: Tensor,
    shifts: number | readonly number[],
    dims?: number | readonly number[] | undefined,
  ): Tensor {
    return roll(this, shifts, dims);
  }
  /** See the function `repeat`. */
  repeat(this: Tensor, repeats: readonly number[]): Tensor {
    return repeat(this, repeats);
  }
  /** See the function `tile`. */
  tile(this: Tensor, repeats: readonly number[]): Tensor {
    return tile(this, repeats);
  }
  /** See the function `unfold`. */
  unfold(this: Tensor, dim: number, size: number, step: number): Tensor {
    return unfold(this, dim, size, step);
  }
  /** See the function `detach`. */
  detach(this: Tensor): Tensor {
    return detach(this);
  }
  /** See the function `unbind`. */
  unbind(this: Tensor, dim?: number): Tensor[] {
    return unbind(this, dim);
  }
  /** See the function `split`. */
  split(this: Tensor, sizeOrSizes: number | readonly number[], dim?: number): Tensor[] {
    return split(this, sizeOrSizes, dim);
  }
  /** See the function `chunk`. */
  chunk(this: Tensor, chunks: number, dim?: number): Tensor[] {
    return chunk(this, chunks, dim);
  }
  /** The two last axes swapped (a matrix transposed). */
  get T(): Tensor {
    const x = this as unknown as Tensor;
    return x.ndim < 2 ? x : transpose(x, -2, -1);
  }
}
