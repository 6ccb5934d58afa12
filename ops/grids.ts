/** Tensors spread over a common grid, and positions in it. */
import { broadcastShapes, checkSizes, ShapeError } from "./check.ts";
import { backendOr } from "./compile/devices.ts";
import type { TensorOptions } from "./create.ts";
import { resultType } from "./define.ts";
import { convert } from "./convert.ts";
import { fromValues } from "./host_values.ts";
import { cat, stack } from "./join.ts";
import { padConstant } from "./slice.ts";
import type { Tensor } from "./tensor.ts";
import { expand, reshape, transpose } from "./view.ts";

/** Views of the shape that all tensors broadcast to, like `torch.broadcast_tensors`. */
export function broadcastTensors(tensors: readonly Tensor[]): Tensor[] {
  const shape = broadcastShapes("broadcastTensors", tensors.map((x) => x.shape));
  return tensors.map((x) => expand(x, shape));
}

/** A view of another shape by repetition, like `torch.broadcast_to`. */
export function broadcastTo(x: Tensor, shape: readonly number[]): Tensor {
  return expand(x, shape);
}

/**
 * Coordinates of a grid from its axes, as views, like `torch.meshgrid`.
 *
 * Shapes: vectors `[A]`, `[B]`, … give `[A, B, …]` each; with `"xy"` the first two axes are swapped.
 *
 * @param tensors Vectors or numbers.
 * @param options Order of the axes.
 * @throws {ShapeError} If there is none, or one has more than 1 dimension.
 *
 * @example
 * ```ts
 * import { arange, meshgrid } from "@tensaurus/core";
 * import { assertEquals } from "@std/assert";
 *
 * const [y, x] = meshgrid([arange(2), arange(3)]);
 * assertEquals(await y!.tolist(), [[0, 0, 0], [1, 1, 1]]);
 * assertEquals(await x!.tolist(), [[0, 1, 2], [0, 1, 2]]);
 * ```
 */
export function meshgrid(
  tensors: readonly Tensor[],
  options: { indexing?: "ij" | "xy" | undefined } = {},
): Tensor[] {
  if (!tensors.length) throw new ShapeError("meshgrid", "needs at least one tensor");
  for (const x of tensors) {
    if (x.ndim > 1) throw new ShapeError("meshgrid", "expects vectors", { input: x.shape });
  }
  const shape = tensors.map((x) => x.numel);
  const grids = tensors.map((x, i) =>
    expand(reshape(x, shape.map((s, d) => d === i ? s : 1)), shape)
  );
  const swaps = options.indexing === "xy" && tensors.length > 1;
  return swaps ? grids.map((x) => transpose(x, 0, 1)) : grids;
}

/**
 * All combinations of the elements of vectors, one per row, like `torch.cartesian_prod`.
 *
 * @returns `[A · B · …, count]`; of one vector itself.
 * @throws {ShapeError} If there is none, or one is no vector.
 */
export function cartesianProd(tensors: readonly Tensor[]): Tensor {
  for (const x of tensors) {
    if (x.ndim !== 1) throw new ShapeError("cartesianProd", "expects vectors", { input: x.shape });
  }
  if (!tensors.length) throw new ShapeError("cartesianProd", "needs at least one tensor");
  if (tensors.length === 1) return tensors[0]!;
  return stack(meshgrid(tensors).map((x) => reshape(x, [x.numel])), 1);
}

/**
 * Matrices along the diagonal of a larger one, zeros elsewhere, like `torch.block_diag`.
 *
 * @param tensors Matrices; vectors are rows, numbers `[1, 1]`.
 * @throws {ShapeError} If there is none, or one has more than 2 dimensions.
 */
export function blockDiag(tensors: readonly Tensor[]): Tensor {
  if (!tensors.length) throw new ShapeError("blockDiag", "needs at least one tensor");
  const blocks = tensors.map((x) => {
    if (x.ndim > 2) throw new ShapeError("blockDiag", "expects matrices", { input: x.shape });
    return x.ndim < 2 ? reshape(x, [1, x.numel]) : x;
  });
  const dtype = resultType(tensors);
  const width = blocks.reduce((n, x) => n + x.shape[1]!, 0);
  let left = 0;
  const rows = blocks.map((x) => {
    const before = left;
    left += x.shape[1]!;
    return padConstant(convert(x, dtype), [before, width - left]);
  });
  return cat(rows, 0);
}

function triangle(
  op: string,
  rows: number,
  columns: number,
  offset: number,
  lower: boolean,
  options: TensorOptions,
): Tensor {
  checkSizes(op, [rows, columns]);
  const i: number[] = [], j: number[] = [];
  for (let row = 0; row < rows; row++) {
    const from = lower ? 0 : Math.max(0, row + offset);
    const to = lower ? Math.min(columns, row + offset + 1) : columns;
    for (let column = from; column < to; column++) {
      i.push(row);
      j.push(column);
    }
  }
  const dtype = options.dtype ?? "int32";
  return fromValues([...i, ...j], [2, i.length], dtype, backendOr(options.device));
}

/** Options of `trilIndices` and `triuIndices`. */
export interface TriangleOptions extends Omit<TensorOptions, "requiresGrad"> {
  /** Diagonal that ends the triangle; above the main one where positive. @default 0 */
  offset?: number | undefined;
}

/** Rows and columns of the elements at and below a diagonal, int32 `[2, count]`, like `torch.tril_indices`. */
export function trilIndices(rows: number, columns: number, options: TriangleOptions = {}): Tensor {
  return triangle("trilIndices", rows, columns, options.offset ?? 0, true, options);
}

/** Rows and columns of the elements at and above a diagonal, int32 `[2, count]`, like `torch.triu_indices`. */
export function triuIndices(rows: number, columns: number, options: TriangleOptions = {}): Tensor {
  return triangle("triuIndices", rows, columns, options.offset ?? 0, false, options);
}
