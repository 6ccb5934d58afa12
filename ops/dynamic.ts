/**
 * Operations whose result has a size that depends on values: they read their input on the host, so
 * they return promises and cannot be part of a compiled function.
 */
import { broadcastShapes, rangeError, ShapeError } from "./check.ts";
import { core } from "./base.ts";
import { fromValues } from "./host_values.ts";
import { indexSelect } from "./index_select.ts";
import { scatterAdd } from "./index.ts";
import { sizeOf } from "./ir/kernel.ts";
import type { Tensor } from "./tensor.ts";
import { expand, movedim, reshape } from "./view.ts";

function int32(values: readonly number[], like: Tensor, shape?: readonly number[]): Tensor {
  return fromValues(values, shape ?? [values.length], "int32", like.storage.backend);
}

/** Flat positions of elements that are not 0. */
async function positionsOf(x: Tensor): Promise<number[]> {
  const found: number[] = [];
  for (const [i, value] of (await x.data()).entries()) if (value !== 0) found.push(i);
  return found;
}

/**
 * Positions of the elements that are not 0, like `torch.nonzero`: one row of coordinates each.
 *
 * @returns int32 `[count, ndim]`.
 */
export async function nonzero(x: Tensor): Promise<Tensor> {
  const rows = (await positionsOf(x)).flatMap((flat) => {
    const coordinates: number[] = [];
    for (const size of [...x.shape].reverse()) {
      coordinates.unshift(flat % size);
      flat = Math.floor(flat / size);
    }
    return coordinates;
  });
  const count = x.ndim ? rows.length / x.ndim : (await positionsOf(x)).length;
  return int32(rows, x, [count, x.ndim]);
}

/**
 * Elements where `mask` is true, in row-major order, like `torch.masked_select`; both broadcast.
 *
 * @returns A vector; differentiable.
 */
export async function maskedSelect(x: Tensor, mask: Tensor): Promise<Tensor> {
  const shape = broadcastShapes("maskedSelect", [x.shape, mask.shape]);
  const places = await positionsOf(expand(mask, shape));
  const flat = reshape(expand(x, shape), [sizeOf(shape)]);
  return indexSelect(flat, 0, int32(places, x));
}

/**
 * Number (or sum of weights) of each whole number from 0, like `torch.bincount`.
 *
 * @param x Whole numbers of at least 0, one dimension.
 * @param options Weights of the same shape; smallest length of the result.
 * @throws {RangeError} If a number is negative.
 */
export async function bincount(
  x: Tensor,
  options: { weights?: Tensor | undefined | null; minlength?: number | undefined } = {},
): Promise<Tensor> {
  const { weights, minlength = 0 } = options;
  if (x.ndim !== 1 || (weights && weights.shape.join() !== x.shape.join())) {
    throw new ShapeError("bincount", "expects one dimension, and weights of the same shape", {
      input: x.shape,
    });
  }
  let length = minlength;
  for (const value of await x.data()) {
    if (value < 0) throw rangeError("bincount", `${value} is negative`);
    length = Math.max(length, value + 1);
  }
  const source = weights
    ? weights.to(weights.dtype === "float64" ? "float64" : "float32")
    : core().fullOn(x.storage.backend, x.shape, 1, "int32");
  const zero = core().fullOn(x.storage.backend, [length], 0, source.dtype);
  return x.numel ? scatterAdd(zero, 0, x, source) : zero;
}

/** What `unique` gives. */
export interface Unique {
  /** The different values (or slices), in order. */
  readonly values: Tensor;
  /** For each element (or slice) the position of its value, int32. */
  readonly inverse: Tensor;
  /** How often each value occurs, int32. */
  readonly counts: Tensor;
}

/**
 * The different elements in order, like `torch.unique`; with `dim` the different slices of an axis.
 *
 * @param x Any tensor.
 * @param options Axis of slices; all elements when missing.
 */
export async function unique(
  x: Tensor,
  options: { dim?: number | undefined | null } = {},
): Promise<Unique> {
  const { dim } = options;
  const flat = dim === undefined || dim === null;
  const source = flat ? reshape(x, [x.numel, 1]) : movedim(x, dim, 0);
  const rows = source.shape[0]!;
  const width = rows ? source.numel / rows : 0;
  const data = await source.data();
  const compare = (a: number, b: number): number => {
    for (let i = 0; i < width; i++) {
      const p = data[a * width + i]!, q = data[b * width + i]!;
      if (p !== q && !(p !== p && q !== q)) return p < q || q !== q ? -1 : 1;
    }
    return 0;
  };
  const order = Array.from({ length: rows }, (_, i) => i).sort((a, b) => compare(a, b) || a - b);
  const firsts: number[] = [], counts: number[] = [];
  const inverse = new Array<number>(rows).fill(0);
  for (const [i, row] of order.entries()) {
    if (i === 0 || compare(order[i - 1]!, row) !== 0) {
      firsts.push(row);
      counts.push(0);
    }
    inverse[row] = firsts.length - 1;
    counts[counts.length - 1]!++;
  }
  const picked = indexSelect(source.detach(), 0, int32(firsts, x));
  return {
    values: flat ? reshape(picked, [firsts.length]) : movedim(picked, 0, dim),
    inverse: int32(inverse, x, flat ? x.shape : [rows]),
    counts: int32(counts, x),
  };
}

/** Each slice of an axis repeated its own number of times, like `torch.repeat_interleave` with a tensor. */
export function repeatInterleaveEach(
  x: Tensor,
  repeats: readonly number[],
  dim?: number | undefined,
): Tensor {
  if (dim === undefined) return repeatInterleaveEach(reshape(x, [x.numel]), repeats, 0);
  const size = x.size(dim);
  const each = repeats.length === 1 ? new Array<number>(size).fill(repeats[0]!) : repeats;
  if (each.length !== size) {
    throw new ShapeError("repeatInterleave", `${repeats.length} counts for size ${size}`, {
      input: x.shape,
    });
  }
  const places = each.flatMap((count, i) => new Array<number>(count).fill(i));
  return indexSelect(x, dim, int32(places, x));
}
