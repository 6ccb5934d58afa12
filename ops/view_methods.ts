/** Views and rearrangements as methods of tensors. */
import { diagonal, repeat, roll, tile, tril, triu, unfold } from "./arrange.ts";
import { MathMethods } from "./math.ts";
import { chunk, flip, narrow, select, slice, split, unbind } from "./slice.ts";
import type { Tensor } from "./tensor.ts";
import {
  clone,
  contiguous,
  detach,
  expand,
  flatten,
  movedim,
  permute,
  reshape,
  squeeze,
  transpose,
  unflatten,
  unsqueeze,
} from "./view.ts";

/** Methods of tensors that give views, and what is like them. */
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
  /** See the function `swapaxes`. */
  swapaxes(this: Tensor, axis0: number, axis1: number): Tensor {
    return transpose(this, axis0, axis1);
  }
  /** See the function `swapdims`. */
  swapdims(this: Tensor, dim0: number, dim1: number): Tensor {
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
  /** See the function `broadcastTo`. */
  broadcastTo(this: Tensor, shape: readonly number[]): Tensor {
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
