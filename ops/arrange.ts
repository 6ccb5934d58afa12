/** Diagonals, triangles, shifts, repetitions and windows. */
import { normalizeAxes, normalizeAxis, rangeError, ShapeError } from "./check.ts";
import { apply, defineOp, type OpDefinition } from "./define.ts";
import * as e from "./ir/expr.ts";
import { sizeOf } from "./ir/kernel.ts";
import { flip, select, slice } from "./slice.ts";
import { embed } from "./embed.ts";
import type { Tensor } from "./tensor.ts";
import { expand, movedim, reshape, transpose } from "./view.ts";
import { owned } from "./own.ts";
import { viewOf } from "./view_of.ts";

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
  }, (y) => diagonal(y, offset, a, b));
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

function triangle(op: string, x: Tensor, shift: number, lower: boolean): Tensor {
  if (x.ndim < 2) throw new ShapeError(op, "expects at least 2 dimensions", { input: x.shape });
  return apply(TRIANGLE, [x], { diagonal: shift, lower });
}

/** Zeros above the diagonal, like `torch.tril`. */
export function tril(x: Tensor, shift = 0): Tensor {
  return triangle("tril", x, shift, true);
}

/** Zeros below the diagonal, like `torch.triu`. */
export function triu(x: Tensor, shift = 0): Tensor {
  return triangle("triu", x, shift, false);
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
  const wrapped: number[] = x.shape.map(() => 0);
  for (const [i, dim] of (typeof dims === "number" ? [dims] : dims).entries()) {
    const d = normalizeAxis("roll", dim, x.ndim);
    const size = Math.max(1, x.shape[d]!);
    wrapped[d] = (((wrapped[d]! + amounts[i]!) % size) + size) % size;
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
  return owned(reshape(spread, sizes.map((s, d) => s * repeats[d]!)), x);
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
  }, (y) => unfold(y, at, size, step));
}

/** Plane of two axes turned by 90° `k` times, like `torch.rot90`. */
export function rot90(x: Tensor, k = 1, dims: readonly [number, number] = [0, 1]): Tensor {
  const [a, b] = normalizeAxes("rot90", dims, x.ndim) as [number, number];
  const turns = ((k % 4) + 4) % 4;
  if (turns === 0) return owned(x, x);
  if (turns === 2) return owned(flip(x, [a, b]), x);
  return owned(turns === 1 ? transpose(flip(x, b), a, b) : flip(transpose(x, a, b), b), x);
}
